#!/usr/bin/env bash
# Puts Pilotlight into a running cluster, as its users would: images out of programs that were built, then the Helm chart. Twice is as
# once.   install.sh [-b BIN_DIR] [STATE] [HELM-ARG...]
#   BIN_DIR: build/release/bin. STATE: build/cluster/state. Beside the product's images those of examples/hello and
#   examples/py-echo are loaded: docker.io/example/hello:1, docker.io/example/py-echo:1.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"

# In mounts of its own: those of a buildah that is killed go with it.
[[ -n ${OWN_MOUNTS:-} ]] || exec env OWN_MOUNTS=yes unshare --mount "$0" "$@"

bin=$ROOT/build/release/bin
if [[ ${1:-} == -b ]]; then
  bin=$(realpath "${2:?}")
  shift 2
fi
[[ ${1:-} != -* ]] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 2; }
STATE=$(realpath -m "${1:-$ROOT/build/cluster/state}")
shift $(($# > 0))
[[ -e $STATE/env ]] || die "not up: $STATE"
need buildah
kube=$("$HERE/build.sh" kubernetes) helm=$("$HERE/build.sh" helm)
export PATH=$kube:$helm:$PATH KUBECONFIG=$STATE/admin.kubeconfig

# buildah's store, and what helm keeps for itself, are in the state's folder and go at the end: the nodes have the images then.
work=$STATE/install
export BUILDER=buildah BUILDAH_ISOLATION=chroot STORAGE_DRIVER=overlay CONTAINERS_STORAGE_CONF=$work/storage.conf
export HELM_CACHE_HOME=$work/helm HELM_CONFIG_HOME=$work/helm HELM_DATA_HOME=$work/helm

function_image() { # EXAMPLE: by its own Dockerfile
  local name=docker.io/example/$1:1
  [[ ! -e $ROOT/examples/$1/Makefile ]] || make --no-print-directory -C "$ROOT/examples/$1" >/dev/null
  buildah build --quiet --layers -t "$name" "$ROOT/examples/$1" >/dev/null
  buildah push --quiet "$name" "docker-archive:$work/images/example-$1.tar:$name"
  echo "$name"
}

images() {
  local example
  mkdir -p "$work/images"
  printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$work/store" "$work/run" >"$work/storage.conf"
  "$ROOT/tools/image.sh" --from-build "$bin" --archives "$work/images" operator gateway shim base-cpp base-python
  for example in hello py-echo; do function_image $example; done
  "$HERE/image.sh" load "$STATE" "$work"/images/*.tar >/dev/null
}

rm -rf "$work" # of one that was killed
trap 'rm -rf "$work"' EXIT
images
kubectl create namespace pilotlight-system --dry-run=client -o yaml | kubectl apply -f - >/dev/null
kubectl label --overwrite namespace pilotlight-system pod-security.kubernetes.io/enforce=restricted >/dev/null
helm upgrade --install pilotlight "$ROOT/charts/pilotlight" --namespace pilotlight-system --wait --timeout 5m "$@" >/dev/null
echo "pilotlight is installed; export KUBECONFIG=$KUBECONFIG PATH=$kube:$helm:\$PATH"
