#!/usr/bin/env bash
# Parked replicas on a node: the chart is installed, pods are parked, resized, lit and measured.   parked_test.sh [-b BIN_DIR] [STATE]
# Starts a cluster of its own when none runs in STATE, and takes it down again. RUNS (20): how often each is measured.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
# shellcheck source=settings.sh
. "$HERE/settings.sh"
# shellcheck source=checks.sh
. "$HERE/checks.sh"
bin=$ROOT/build/release/bin
if [[ ${1:-} == -b ]]; then
  bin=$(realpath "${2:?}")
  shift 2
fi
STATE=$(realpath -m "${1:-$ROOT/build/cluster/parked}")
RUNS=${RUNS:-20}
PATH=$("$HERE/build.sh" kubernetes):$("$HERE/build.sh" helm):$PATH
work=$(mktemp -d)
export PATH KUBECONFIG=$work/kubeconfig HELM_CACHE_HOME=$work/helm HELM_CONFIG_HOME=$work/helm HELM_DATA_HOME=$work/helm
started=''
clean_up() {
  [[ -z $started ]] || "$HERE/down.sh" "$STATE"
  rm -rf "$work"
}
trap clean_up EXIT
if [[ ! -e $STATE/env ]]; then
  started=yes
  "$HERE/up.sh" "$STATE"
fi
# shellcheck disable=SC1091  # written by up.sh
. "$STATE/env"
cp "$STATE/admin.kubeconfig" "$KUBECONFIG"

# ---------------------------------------------------------------- images

packed() { # NAME ENTRYPOINT ROOT: an image of all files below ROOT
  local file files=()
  while read -r file; do files+=("$3/$file=/$file"); done < <(cd "$3" && find . -xtype f -printf '%P\n')
  "$HERE/image.sh" build "$work/${1//\//-}.tar" "docker.io/pilotlight/$1" "$2" "${files[@]}" >/dev/null
}

images() {
  local version
  version=$(sed -n 's/^appVersion: //p' "$ROOT/charts/pilotlight/Chart.yaml" | tr -d '"')
  "$ROOT/tools/image-roots.sh" "$bin" "$work/roots" operator gateway base-cpp base-python
  make -C "$ROOT/examples/hello" >/dev/null
  install -D "$ROOT/examples/hello/libhello.so" "$work/roots/base-cpp/function/libhello.so"
  install -D "$ROOT/examples/py-echo/server.py" "$work/roots/base-python/function/server.py"
  packed "operator:$version" /usr/bin/pilotlight-operator "$work/roots/operator"
  packed "gateway:$version" /usr/bin/pilotlight-gateway "$work/roots/gateway"
  packed hello:1 /pilotlight/pilotlight-shim "$work/roots/base-cpp"
  packed py-echo:1 /pilotlight/pilotlight-shim "$work/roots/base-python"
  "$HERE/image.sh" load "$STATE" "$work"/*.tar
}

# ---------------------------------------------------------------- what is checked

function_yaml() { # NAME RUNTIME HANDLER
  cat <<Y
apiVersion: pilotlight.dev/v1alpha1
kind: Function
metadata: {name: $1}
spec:
  image: docker.io/pilotlight/$1:1
  runtime: $2
  handler: $3
  resources: {cpu: 200m, memory: 128Mi}
  pod: {annotations: {pilotlight.dev/shim-in-image: "true"}}
  scale: {initial: 0, parked: 1, max: 1, toZeroAfter: 1s}
Y
}

status() { kubectl get function "$1" -o jsonpath='{.status.readyReplicas} {.status.parkedReplicas}'; }
is_parked() { [[ $(status "$1") == *" 1" ]]; }
pod() { kubectl get pods -l "pilotlight.dev/function=$1" -o name; }
requests() { # NAME FIELD: of its only pod; spec.containers[0].resources is wanted, status.containerStatuses[0].resources is so
  kubectl get pods -l "pilotlight.dev/function=$1" -o jsonpath="{.items[0].$2.requests.cpu} {.items[0].$2.requests.memory} {.items[0].status.qosClass}"
}
resized() { # NAME TO: the kubelet has done it
  [[ $(requests "$1" 'spec.containers[0].resources') == "$2" && $(requests "$1" 'status.containerStatuses[0].resources') == "$2" ]]
}
ask() { "$HERE/node.sh" "$STATE" "$NODE" network curl -sf --max-time 20 -H "Host: $1.default.localhost" "http://$gateway/${2:-}" "${@:3}"; }
resized_while_asked() { ask "$1" >/dev/null && resized "$@"; } # else it is parked again before the kubelet has done it

# First bytes, milliseconds, one a line.
measure() { # NAME METHOD BODY
  local run
  for ((run = 0; run < RUNS; run++)); do
    within 60 is_parked "$1" || { echo "$1 was not parked: $(status "$1")" >&2; return 1; }
    "$HERE/node.sh" "$STATE" "$NODE" network curl -sf --max-time 20 -o /dev/null -w '%{time_connect} %{time_starttransfer}\n' \
      -H "Host: $1.default.localhost" -X "$2" ${3:+-d "$3"} "http://$gateway/" | awk '{printf "%.1f\n", ($2 - $1) * 1000}'
  done
}
tell() { sort -n | awk -v name="$1" '{v[NR] = $1} END {printf "%s: median %.1f ms, p10 %.1f, p90 %.1f, of %d\n", name, v[int((NR + 1) / 2)], v[int(NR / 10) + 1], v[int(NR * 0.9)], NR}'; }

images
kubectl create namespace pilotlight-system
helm install pilotlight "$ROOT/charts/pilotlight" --namespace pilotlight-system --set gateway.replicas=1 --wait --timeout 3m >/dev/null
gateway=$(kubectl -n pilotlight-system get service pilotlight-gateway -o jsonpath='{.spec.clusterIP}:{.spec.ports[0].port}')
{ function_yaml hello native '[/function/libhello.so, handle]'; echo ---; function_yaml py-echo http '[/usr/bin/python3, /function/server.py]'; } | kubectl apply -f -

for name in hello py-echo; do
  check "$name is parked" soon is_parked "$name"
  check "$name requests next to nothing, as the kubelet says too" soon resized "$name" "1m 8Mi Burstable"
done
before=$(pod hello)
check "a request lights it" says 'Hello, Ada!' ask hello '?name=Ada'
check "it requests in full again" soon resized_while_asked hello "200m 128Mi Burstable"
check "no pod was made for it" test "$(pod hello)" = "$before"
check "idle, it is parked again" soon is_parked hello
check "and resized" soon resized hello "1m 8Mi Burstable"
check "the Function says so" says 'hello .* 0 *1 ' kubectl get functions -o wide
check "pinned replicas are refused" refused 'scale.parked must be 0' kubectl scale function/hello --replicas=2
measure hello GET '' | tell "parked to first byte, native"
measure py-echo POST 1 | tell "parked to first byte, Python"
summary
