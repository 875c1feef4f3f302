#!/usr/bin/env bash
# Installs the Debian packages that are missing for the named groups: run, test, bench, cluster, images. Says nothing when all are there.
set -euo pipefail

run=(clang-19 lld-19 cmake ninja-build ccache g++ make python3 curl ca-certificates
     libspdlog-dev nlohmann-json3-dev libyaml-cpp-dev prometheus-cpp-dev libcpprest-dev libssl-dev zlib1g-dev libcli11-dev libnghttp2-dev)
test=(libgtest-dev libgmock-dev clang-format-19 clang-tidy-19 libclang-rt-19-dev
      nginx-light nghttp2-client nghttp2-server libgrpc++-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev)

# For h2spec any go from 1.19 on will do; an older one is as good as none.
has_go() {
  local version
  version=$(go env GOVERSION 2>/dev/null) || return 1
  version=${version#go}
  printf '%s\n' 1.19 "${version%%[!0-9.]*}" | sort -VC
}
has_go || test+=(golang-go)
bench=(nginx haproxy valgrind util-linux)
# A Kubernetes of our own (tests/cluster). Beside these it needs Go 1.24 or later, which Debian 12 does not have.
cluster=(containernetworking-plugins iptables nftables iproute2 socat openssl curl procps hostname util-linux gcc libc6-dev
         python3 python3-yaml faketime shellcheck)
command -v containerd >/dev/null && command -v runc >/dev/null || cluster+=(containerd runc)  # Docker's own packages have both
command -v npm >/dev/null || cluster+=(npm)  # brings helm

# Images without a daemon and, with tools/image-base.sh, without a registry. python3 is what base-python is made of.
images=(buildah mmdebstrap ca-certificates python3)

wanted=()
for group in "$@"; do
  case $group in
    run) wanted+=("${run[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    bench) wanted+=("${bench[@]}") ;;
    cluster) wanted+=("${cluster[@]}") ;;
    images) wanted+=("${images[@]}") ;;
    *) echo "deps.sh: unknown group '$group'; allowed: run, test, bench, cluster, images" >&2; exit 2 ;;
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
# No service of a package starts: what needs one runs its own.
policy=/usr/sbin/policy-rc.d
made_policy=
clean_up() {
  rm -f "$log"
  [[ -z $made_policy ]] || "${as_root[@]}" rm -f "$policy"
}
trap clean_up EXIT
if [[ ! -e $policy ]]; then
  made_policy=yes
  "${as_root[@]}" install -m 755 /dev/stdin "$policy" <<<$'#!/bin/sh\nexit 101'
fi
if ! { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
       "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove "${missing[@]}"; } \
     >"$log" 2>&1 </dev/null; then
  cat "$log" >&2
  exit 1
fi
