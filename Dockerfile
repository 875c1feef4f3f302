# The images, for docker and buildah alike: docker build --target operator -t pilotlight/operator .
#   operator, gateway        the two programs of a cluster
#   pilotlight               the command line, which also holds operator and gateway for `pilotlight local`
#   shim                     to be copied into function images; also the init container that does so
#   base-cpp, base-python    to build function images on: the shim is in them
# None has a shell or a package manager; all run as 65532. tools/image.sh builds them all.

FROM docker.io/library/debian:12-slim AS build
# python3 is what base-python is made of.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      clang-19 lld-19 cmake ninja-build ccache g++ make ca-certificates python3 \
      libspdlog-dev nlohmann-json3-dev libyaml-cpp-dev prometheus-cpp-dev libcpprest-dev libssl-dev zlib1g-dev libcli11-dev libnghttp2-dev \
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
ARG PROGRAMS="pilotlight-operator pilotlight-gateway pilotlight pilotlight-shim pilotlight-native-host"
RUN --mount=type=cache,target=/ccache \
    cmake --preset release -DPILOTLIGHT_TESTS=OFF && CCACHE_DIR=/ccache cmake --build build/release --target ${PROGRAMS}

FROM build AS layout
RUN tools/image-roots.sh build/release/bin /roots

# The images' root folders, one each. --build-context roots=FOLDER puts others in their place, and nothing above is built then:
# tools/image.sh --from-build does so with programs built outside.
FROM scratch AS roots
COPY --from=layout /roots/ /

FROM scratch AS operator
COPY --from=roots /operator/ /
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
EXPOSE 8082
ENTRYPOINT ["/usr/bin/pilotlight-operator"]

FROM scratch AS gateway
COPY --from=roots /gateway/ /
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/usr/bin/pilotlight-gateway"]

FROM scratch AS pilotlight
COPY --from=roots /pilotlight/ /
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/usr/bin/pilotlight"]

# As an init container, `pilotlight-shim --install DIR` copies itself into a foreign image's pod. Any image with a C library
# becomes one that needs no such copy with the line
#   COPY --from=pilotlight/shim / /pilotlight/
FROM scratch AS shim
COPY --from=roots /shim/ /
USER 65532:65532
ENTRYPOINT ["/pilotlight-shim"]

# For functions of the runtime `native`, and any program that stands on the C and C++ libraries alone.
FROM scratch AS base-cpp
COPY --from=roots /base-cpp/ /
ENV PATH=/usr/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
WORKDIR /function
USER 65532:65532
ENTRYPOINT ["/pilotlight/pilotlight-shim"]

FROM scratch AS base-python
COPY --from=roots /base-python/ /
ENV PATH=/usr/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /function
USER 65532:65532
ENTRYPOINT ["/pilotlight/pilotlight-shim"]
