# Two images, for docker and buildah alike:
#   docker build --target pilotlight -t pilotlight/pilotlight .   the CLI program, which holds operator and gateway
#   docker build --target shim       -t pilotlight/shim .         the shim, to be copied into function images
# Neither has a shell or a package manager; both run as 65532.

FROM docker.io/library/debian:12-slim AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      clang-19 lld-19 cmake ninja-build g++ make ca-certificates \
      libspdlog-dev nlohmann-json3-dev libyaml-cpp-dev prometheus-cpp-dev libcpprest-dev libssl-dev libcli11-dev libnghttp2-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY CMakeLists.txt CMakePresets.json ./
COPY lib lib
COPY operator operator
COPY gateway gateway
COPY runtime-shim runtime-shim
COPY cli cli
COPY tools tools
COPY tests/CMakeLists.txt tests/CMakeLists.txt
RUN cmake --preset release -DPILOTLIGHT_TESTS=OFF \
 && cmake --build build/release --target pilotlight pilotlight-shim pilotlight-native-host

FROM build AS roots
RUN tools/image-roots.sh build/release/bin /roots

# As an init container, `pilotlight-shim --install DIR` copies itself into a foreign image's pod; base images COPY --from it.
# The native host runs with the function image's own C library and loader: none is shipped here.
FROM scratch AS shim
COPY --from=roots /roots/shim/ /
USER 65532:65532
ENTRYPOINT ["/pilotlight-shim"]

FROM scratch AS pilotlight
COPY --from=roots /roots/pilotlight/ /
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/usr/bin/pilotlight"]
