#!/usr/bin/env bash
# Makes and loads container images without a registry or an image tool.
#   image.sh build OUT.tar NAME:TAG ENTRYPOINT FILE[=PATH]...
#       an OCI archive of one layer with the given files (a static binary is enough); the same files give the same archive.
#       Settings: IMAGE_USER (65532:65532), IMAGE_ENV ("A=b C=d")
#   image.sh load STATE FILE.tar...
#       into every node of a running cluster, and those that join later. Pods name the image in full (pilotlight.test/app:1), with
#       imagePullPolicy Never or IfNotPresent.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
# shellcheck source=settings.sh
. "$HERE/settings.sh"

reproducible=(--sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner)
layer_type=application/vnd.oci.image.layer.v1.tar
config_type=application/vnd.oci.image.config.v1+json
manifest_type=application/vnd.oci.image.manifest.v1+json

root_filesystem() { # FOLDER FILE[=PATH]...
  local root=$1 file path
  shift
  mkdir -p "$root"/{tmp,etc}
  chmod 1777 "$root/tmp"
  printf 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n' >"$root/etc/passwd"
  for file; do
    path=/${file##*/}
    [[ $file == *=* ]] && path=${file#*=}
    install -D "${file%%=*}" "$root$path"
  done
}

blob() { # FILE OCI-FOLDER: moves it in, prints its digest
  local digest
  digest=$(sha256sum "$1" | cut -d' ' -f1)
  mv "$1" "$2/blobs/sha256/$digest"
  echo "$digest"
}

described() { # TYPE DIGEST OCI-FOLDER: the inner part of a descriptor
  printf '"mediaType":"%s","digest":"sha256:%s","size":%s' "$1" "$2" "$(stat -c %s "$3/blobs/sha256/$2")"
}

build() { # OUT NAME ENTRYPOINT FILE...
  local out=$1 name=$2 entrypoint=$3 oci=$work/oci layer config manifest variable environment='"PATH=/bin:/"'
  shift 3
  mkdir -p "$oci/blobs/sha256" "$(dirname "$out")"
  root_filesystem "$work/root" "$@"
  tar "${reproducible[@]}" -C "$work/root" -cf "$work/layer" .
  layer=$(blob "$work/layer" "$oci")
  for variable in ${IMAGE_ENV:-}; do environment+=",\"$variable\""; done
  printf '{"architecture":"amd64","os":"linux","config":{"User":"%s","Env":[%s],"Entrypoint":["%s"],"WorkingDir":"/"},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "${IMAGE_USER:-65532:65532}" "$environment" "$entrypoint" "$layer" >"$work/config"
  config=$(blob "$work/config" "$oci")
  printf '{"schemaVersion":2,"mediaType":"%s","config":{%s},"layers":[{%s}]}' "$manifest_type" \
    "$(described $config_type "$config" "$oci")" "$(described $layer_type "$layer" "$oci")" >"$work/manifest"
  manifest=$(blob "$work/manifest" "$oci")
  printf '{"imageLayoutVersion":"1.0.0"}' >"$oci/oci-layout"
  printf '{"schemaVersion":2,"manifests":[{%s,"platform":{"architecture":"amd64","os":"linux"},"annotations":{"io.containerd.image.name":"%s","org.opencontainers.image.ref.name":"%s"}}]}' \
    "$(described $manifest_type "$manifest" "$oci")" "$name" "${name##*:}" >"$oci/index.json"
  tar "${reproducible[@]}" -C "$oci" -cf "$out" .
  echo "$name sha256:$manifest $(stat -c %s "$out") bytes -> $out"
}

load() { # STATE FILE...
  local STATE node file
  STATE=$(realpath "$1")
  shift
  mkdir -p "$STATE/images"
  cp "$@" "$STATE/images/" # for nodes to come
  for node in $(node_folders); do
    for file; do
      in_node "$node" ctr -n k8s.io images import "$(realpath "$file")"
    done
  done
}

case ${1:-} in
  build)
    (($# >= 5)) || die "build OUT.tar NAME:TAG ENTRYPOINT FILE[=PATH]..."
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    build "${@:2}"
    ;;
  load)
    (($# >= 3)) || die "load STATE FILE.tar..."
    load "${@:2}"
    ;;
  *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 2 ;;
esac
