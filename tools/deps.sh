#!/usr/bin/env bash
# Installs the Debian packages that are missing for the named groups: run, test, bench, cluster. Says nothing when all are there.
set -euo pipefail

run=(clang-19 lld-19 cmake ninja-build ccache g++ make python3 curl ca-certificates
     libspdlog-dev nlohmann-json3-dev libyaml-cpp-dev prometheus-cpp-dev libcpprest-dev libssl-dev libcli11-dev libnghttp2-dev)
test=(libgtest-dev libgmock-dev clang-format-19 clang-tidy-19 libclang-rt-19-dev
      nginx-light nghttp2-client nghttp2-server libgrpc++-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev)
command -v go >/dev/null || test+=(golang-go)  # for h2spec; any from 1.19 on
bench=(nginx haproxy valgrind util-linux)
# A Kubernetes of our own (tests/cluster); beside these it needs Go 1.24 or later, and npm for helm.
cluster=(containerd runc containernetworking-plugins iptables nftables iproute2 socat openssl curl procps hostname util-linux
         gcc libc6-dev python3 shellcheck)

wanted=()
for group in "$@"; do
  case $group in
    run) wanted+=("${run[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    bench) wanted+=("${bench[@]}") ;;
    cluster) wanted+=("${cluster[@]}") ;;
    *) echo "deps.sh: unknown group '$group'; allowed: run, test, bench, cluster" >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null; then
  echo "deps.sh: this is not Debian; install the equivalents of: ${wanted[*]}" >&2
  exit 0
fi

missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

as_root=()
if ((EUID != 0)); then
  command -v sudo >/dev/null || { echo "deps.sh: as root, run: apt-get install ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "installing: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
       "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
     >"$log" 2>&1 </dev/null; then
  cat "$log" >&2
  exit 1
fi
