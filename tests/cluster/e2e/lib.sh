# What the topics share. A topic is a file and a function of its name, which runs in a namespace of its own, in $namespace.
# Sourced, never run.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153,SC2154  # used by topics; STATE, NODE, work come from e2e.sh

home=pilotlight-system
all_topics=(invoke cold_start kubectl_commands broken wrong_specs mounts sources tls upgrade nodes uninstall)
smoke_topics=(invoke cold_start kubectl_commands wrong_specs uninstall)
patience=300 # seconds, for what ends by itself long before on a machine that is not busy

use_cluster() {
  PATH=$("$HERE/build.sh" kubernetes):$("$HERE/build.sh" helm):$PATH
  export PATH KUBECONFIG=$work/kubeconfig HELM_CACHE_HOME=$work/helm HELM_CONFIG_HOME=$work/helm HELM_DATA_HOME=$work/helm
  cp "$STATE/admin.kubeconfig" "$KUBECONFIG"
}

run_topic() { # NAME
  local before=$failed start=$SECONDS
  namespace=e2e-${1//_/-}
  echo "== $1"
  kubectl delete namespace "$namespace" --ignore-not-found >/dev/null # of one that was killed
  kubectl create namespace "$namespace" >/dev/null
  kubectl config set-context --current --namespace="$namespace" >/dev/null
  eventually kubectl get serviceaccount/default configmap/kube-root-ca.crt # every namespace gets them, a moment later
  gateway=$(kubectl -n "$home" get service pilotlight-gateway -o jsonpath='{.spec.clusterIP}' --ignore-not-found)
  "$1"
  if ((failed > before)); then what_happened; fi
  check "the namespace goes" kubectl delete namespace "$namespace" --ignore-not-found --timeout="${patience}s"
  echo "== $1: $((SECONDS - start)) s"
}

what_happened() { # after a check failed: what may tell why
  echo "---- $namespace"
  kubectl get functions,deployments,pods -o wide || true
  kubectl get functions -o jsonpath='{range .items[*]}{.metadata.name}{": "}{.status.conditions}{"\n"}{end}' || true
  kubectl get events --sort-by=.lastTimestamp | tail -25 || true
  echo "---- $home"
  kubectl -n "$home" get pods -o wide || true
  for component in operator gateway; do
    kubectl -n "$home" logs -l app.kubernetes.io/component=$component --prefix --tail=15 || true
  done
  echo "----"
} 2>&1

# ---------------------------------------------------------------- functions and their answers

apply() { kubectl apply -f - <<<"$1"; }
function_of() { # NAME SPEC: the inner part of {}
  printf 'apiVersion: pilotlight.dev/v1alpha1\nkind: Function\nmetadata: {name: %s}\nspec: {%s}\n' "$1" "$2"
}
make_function() { kubectl apply -f - <<<"$(function_of "$@")"; } # NAME SPEC
shim_inside='pod: {annotations: {pilotlight.dev/shim-in-image: "true"}}'
hello="image: docker.io/example/hello:1, runtime: native, handler: [libhello.so, handle], $shim_inside"
at_zero='scale: {initial: 0, toZeroAfter: 2s}'

in_network() { "$HERE/node.sh" "$STATE" "$NODE" network "$@"; }
# Through the gateways' Service, as from outside.
ask() { # NAME [PATH [CURL-ARG...]]
  in_network curl -sS --fail-with-body --max-time 120 -H "Host: $1.$namespace.localhost" "${@:3}" "http://$gateway${2:-/}"
}
status_of() { ask "$1" "${2:-/}" -o /dev/null -w '%{http_code}' "${@:3}" 2>/dev/null || true; }
# From a pod of the cluster.
make_client() {
  kubectl run client --image=pilotlight.test/testapp:1 --image-pull-policy=Never --restart=Never >/dev/null
  kubectl wait --for=condition=Ready pod/client --timeout="${patience}s" >/dev/null
}
ask_from_a_pod() { kubectl exec client -- /testapp get "http://$1.$namespace${2:-/}"; } # NAME [PATH]

eventually() { within "$patience" quietly "$@" || "$@"; } # CMD...: the last try tells what is wrong
await() { kubectl wait --timeout="${patience}s" "$@"; }
is_ready() { await --for=condition=Ready "function/$1"; }
at_scale() { await --for=jsonpath='{.spec.replicas}'="$2" "deployment/$1-${3:-00001}"; } # NAME REPLICAS [VERSION]
pods_of() { kubectl get pods -l "pilotlight.dev/function=$1" "${@:2}"; }
no_pods() { await --for=delete pod -l "pilotlight.dev/function=$1"; } # NAME
goes_out() { at_scale "$1" 0 && no_pods "$1"; }                       # NAME

# ---------------------------------------------------------------- load

start_load() { # RATE NAME [ARG...]: steady requests in the background; see load.py
  local node
  node=$(node_process "$STATE/nodes/$NODE")
  nsenter -t "$node" -n -- python3 "$HERE/e2e/load.py" "$1" "$gateway" "$2.$namespace.localhost" "${@:3}" >"$work/load" 2>&1 &
  load=$!
}

stop_load() { # and wait for its last answers
  local process=${load:-}
  load=
  load_status=0
  if [[ -n $process ]]; then
    kill -TERM "$process" || true
    wait "$process" || load_status=$?
  fi
}

load_went_well() { # prints what it counted; fails when a request did
  cat "$work/load"
  return "$load_status"
}
end_of_load() {
  stop_load
  tail -1 "$work/load"
  check "no request failed" load_went_well
}
