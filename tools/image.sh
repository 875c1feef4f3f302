#!/usr/bin/env bash
# Builds the images with whichever of docker and buildah is there, and prints their sizes.
#   image.sh [--from-build BIN_DIR] [--archives FOLDER] [IMAGE...]
#       IMAGE: operator, gateway, pilotlight, shim, base-cpp, base-python; default: all
#       --from-build   packs the programs of BIN_DIR, built here on Debian 12, instead of compiling them again in the image
#       --archives     also writes each to FOLDER/IMAGE.tar, for `docker load`, `kind load image-archive`, `ctr images import`
# Settings: IMAGE_PREFIX (docker.io/pilotlight/), IMAGE_TAG (the product's version, which is what
# the chart asks for), BUILDER (docker or buildah). Sizes above the limits below are an error.
# With buildah, and no registry in reach: tools/image-base.sh first.
set -euo pipefail
cd "$(dirname "$0")/.."

all=(operator gateway pilotlight shim base-cpp base-python)
declare -A limit_kb=([operator]=60000 [gateway]=60000 [shim]=4000)
prefix=${IMAGE_PREFIX:-docker.io/pilotlight/}
tag=${IMAGE_TAG:-$(sed -n 's/^project(pilotlight VERSION \([^ ]*\).*/\1/p' CMakeLists.txt)}
from_build='' archives=''

die() { echo "image.sh: $*" >&2; exit 1; }

usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 2; }

# Within a container, as in most CI, buildah may neither mount nor make namespaces: a chroot will do.
choose_builder() {
  if [[ ${BUILDER:-docker} == docker ]] && docker buildx version >/dev/null 2>&1; then
    builder=docker build=(docker build)
  elif command -v buildah >/dev/null; then
    builder=buildah build=(buildah build --layers)
    export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot} STORAGE_DRIVER=${STORAGE_DRIVER:-overlay}
  else
    die "needs docker with buildx, or buildah"
  fi
}

archive() { # NAME FILE
  rm -f "$2"
  case $builder in
    docker) docker save -o "$2" "$1" ;;
    buildah) buildah push --quiet "$1" "docker-archive:$2:$1" ;;
  esac
}

size_kb() { # NAME: of its files, as unpacked
  case $builder in
    docker) echo $(($(docker image inspect -f '{{.Size}}' "$1") / 1000)) ;;
    buildah) buildah images --json "$1" | python3 -c 'import json, sys
number, unit = json.load(sys.stdin)[0]["size"].split()
print(round(float(number) * {"B": 1e-3, "KB": 1, "MB": 1e3, "GB": 1e6}[unit]))' ;;
  esac
}

report() { # IMAGE NAME
  local size limit=${limit_kb[$1]:-}
  size=$(size_kb "$2")
  printf '%-50s %6d.%d MB\n' "$2" $((size / 1000)) $((size % 1000 / 100))
  [[ -z $limit ]] || ((size <= limit)) || die "$2: more than $((limit / 1000)) MB"
}

make_image() { # IMAGE
  local name=$prefix$1:$tag
  [[ " ${all[*]} " == *" $1 "* ]] || die "unknown image '$1'; allowed: ${all[*]}"
  "${build[@]}" --quiet --target "$1" -t "$name" . >/dev/null
  [[ -z $archives ]] || archive "$name" "$archives/$1.tar"
  report "$1" "$name"
}

while [[ ${1:-} == --* ]]; do
  case $1 in
    --from-build) from_build=${2:?} ;;
    --archives) archives=${2:?} ;;
    *) usage ;;
  esac
  shift 2
done
(($#)) || set -- "${all[@]}"
choose_builder
[[ -z $archives ]] || mkdir -p "$archives"
if [[ -n $from_build ]]; then
  roots=$(mktemp -d)
  trap 'rm -rf "$roots"' EXIT
  tools/image-roots.sh "$from_build" "$roots" "$@"
  build+=(--build-context "roots=$roots")
fi
for image; do make_image "$image"; done
