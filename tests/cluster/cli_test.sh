#!/usr/bin/env bash
# Checks the command line against a real Kubernetes.
#   cli_test.sh [-b BIN_DIR]          its words, flags and exit codes, against an API server of its own
#   cli_test.sh [-b BIN_DIR] STATE    logs, invoke and build too, in the running cluster of STATE (up.sh), where the chart must be
#                                     installed as pilotlight in pilotlight-system, and be let alone
# BIN_DIR: build/release/bin.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
# shellcheck source=checks.sh
. "$HERE/checks.sh"
bin=$ROOT/build/release/bin
if [[ ${1:-} == -b ]]; then
  bin=$(realpath "${2:?}")
  shift 2
fi
STATE=${1:-}
[[ -x $bin/kubectl-fn ]] || die "no $bin/kubectl-fn: make programs"
PATH=$("$HERE/build.sh" kubernetes):$bin:$PATH
work=$(mktemp -d)
export PATH
namespace=cli-test

function_file() { # NAME IMAGE
  cat <<Y
apiVersion: pilotlight.dev/v1alpha1
kind: Function
metadata: {name: $1}
spec:
  image: $2
  runtime: http
  handler: [/testapp]
Y
}

# ---------------------------------------------------------------- words: the API alone is enough

as_kubectl() { # ARG...: fails with the same words and code as kubectl
  local ours theirs code=0 expected=0
  ours=$(kubectl fn "$@" 2>&1) || code=$?
  theirs=$(kubectl "$@" 2>&1) || expected=$?
  [[ $ours == "$theirs" && $code == "$expected" && $code != 0 ]] || { printf 'ours (%s): %s\nkubectl (%s): %s\n' "$code" "$ours" "$expected" "$theirs"; return 1; }
}

exits() { # CODE CMD...
  local wanted=$1 code=0 output
  shift
  output=$("$@" 2>&1) || code=$?
  ((code == wanted)) || { echo "ended with $code: $output"; return 1; }
}

serve_status() { # NAME: what an operator would say
  kubectl patch "fn/$1" --subresource=status --type=merge --patch '{"status":{"observedGeneration":1,"url":"http://x","versions":{"stable":1,"latest":1},
    "conditions":[{"type":"Ready","status":"True","reason":"Ready","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}'
}

words() {
  local file=$work/f.yaml
  function_file words x >"$file"
  check "kubectl finds the plugin" says 'kubectl-fn' kubectl plugin list
  check "kubectl completes commands" says '^describe' kubectl __complete fn des
  check "apply creates" says '^function.pilotlight.dev/words created$' kubectl fn apply -f "$file"
  check "apply again changes nothing" says 'unchanged$' kubectl fn apply -f "$file"
  check "and names" says '^words' kubectl __complete fn logs wo
  check "get" says '^words *Unknown' kubectl fn get fn
  check "get by kubectl's flags" says '^function.pilotlight.dev/words$' kubectl fn get fn -n "$namespace" -o name --kubeconfig "$KUBECONFIG" --context "$(kubectl config current-context)"
  check "another context is told" refused 'there is no context nowhere' kubectl fn get fn --context nowhere
  check "describe" says '^Name: *words' kubectl fn describe fn words
  check "scale" says 'scaled' kubectl fn scale fn/words --replicas=3
  check "it is scaled" says '^3$' kubectl get fn words -o 'jsonpath={.spec.replicas}'
  check "scale back to automatic" kubectl fn scale fn/words --replicas=-1
  check "it is automatic" says '^none$' kubectl get fn words -o 'go-template={{or .spec.replicas "none"}}'
  check "logs of nothing" says 'has no pods now' kubectl fn logs words
  check "a missing object, in kubectl's words" as_kubectl get fn nope
  check "a missing one to delete" as_kubectl delete fn nope
  check "no rights, in kubectl's words" as_kubectl get fn words --kubeconfig "$STATE/nobody.kubeconfig" -n "$namespace"
  function_file words x | sed 's/runtime: http/runtime: java/' >"$work/wrong.yaml"
  check "a wrong file names line and field" refused 'wrong.yaml:6: spec.runtime' kubectl fn apply -f "$work/wrong.yaml"
  check "deploy that is not ready in time ends with 3" exits 3 kubectl fn deploy -f "$file" --timeout 1s
  check "deploy of a refused file ends with 1" exits 1 kubectl fn deploy -f "$work/wrong.yaml"
  check "wrong usage ends with 2" exits 2 kubectl fn deploy
  kubectl get fn words -o jsonpath='{.metadata.generation}' >"$work/generation"
  check "status is written" serve_status words
  check "deploy waits for the newest generation" exits 3 kubectl fn deploy -f "$file" --timeout 1s
  kubectl patch fn/words --subresource=status --type=merge --patch "{\"status\":{\"observedGeneration\":$(<"$work/generation")}}" >/dev/null
  check "deploy ends when it is ready" says '"words" is ready: http://x' kubectl fn deploy -f "$file"
  check "invoke without a gateway says what is missing" refused 'services "words" not found' kubectl fn invoke words
  kubectl patch fn/words --type=merge --patch '{"metadata":{"finalizers":["example.com/held"]}}' >/dev/null
  check "delete waits" refused 'timed out waiting for the condition on functions/words' kubectl fn delete fn/words --timeout 1s
  kubectl patch fn/words --type=merge --patch '{"metadata":{"finalizers":null}}' >/dev/null
  check "it is gone then" kubectl fn delete fn/words --ignore-not-found --timeout 10s
  check "a server that is not there" refused 'Unable to reach the server' kubectl fn get fn --kubeconfig <(sed 's|server: .*|server: https://127.0.0.1:1|' "$KUBECONFIG")
}

# ---------------------------------------------------------------- a whole cluster

follows() { # TEXT: comes in the followed logs within 30 s
  within 30 grep -q -- "$1" "$work/followed" || { cat "$work/followed"; return 1; }
}

invokes() {
  check "invoke" says '"path":"/"' kubectl fn invoke called
  check "invoke with path and query" says '"path":"/a/b"' kubectl fn invoke called --path '/a/b?c=d'
  check "invoke with a body shows the head" says '^HTTP/1.1 200 OK' kubectl fn invoke called -i -d '{"a":1}'
  check "an Authorization header would be the API server's" refused 'name a gateway with --gateway' kubectl fn invoke called -H 'Authorization: Bearer x'
  check "what only the cluster may call" soon says '"path":"/"' kubectl fn invoke inner
  kubectl create serviceaccount user >/dev/null
  kubectl create rolebinding user --clusterrole=view --serviceaccount="$namespace:user" >/dev/null
  local token
  token=$(kubectl create token user)
  kubectl config view --raw --minify -o json | python3 -c 'import json, sys
config = json.load(sys.stdin)
config["users"][0]["user"] = {"token": sys.argv[1]}
json.dump(config, sys.stdout)' "$token" >"$work/user.kubeconfig"
  check "a user needs the right to the gateways' Service" refused 'services/proxy' kubectl fn invoke called --kubeconfig "$work/user.kubeconfig" -n "$namespace"
  kubectl -n pilotlight-system create role invoke-cli-test --verb=get,create --resource=services/proxy --resource-name=http:pilotlight-gateway:http >/dev/null
  kubectl -n pilotlight-system create rolebinding invoke-cli-test --role=invoke-cli-test --serviceaccount="$namespace:user" >/dev/null
  check "and nothing else" soon says '"path":"/"' kubectl fn invoke called --kubeconfig "$work/user.kubeconfig" -n "$namespace"
  kubectl -n pilotlight-system port-forward service/pilotlight-gateway :80 >"$work/forward" 2>&1 &
  forward=$!
  within 10 grep -q 'Forwarding from 127' "$work/forward" || return 1
  check "invoke at a gateway's address" says '"path":"/"' kubectl fn invoke called -H 'Authorization: Bearer x' --gateway "http://127.0.0.1:$(sed -n 's/.*127.0.0.1:\([0-9]*\) .*/\1/p' "$work/forward")"
  kill $forward
}

logs() {
  local pod
  check "logs" says 'testapp up' kubectl fn logs called
  check "logs of a version that is not there" says 'has no pods now' kubectl fn logs called --version 99
  check "logs with a limit" says '^20[0-9-]*T[^ ]* ' kubectl fn logs called --tail 1 --since 1h --timestamps
  kubectl fn logs called -f >"$work/followed" 2>&1 &
  follower=$!
  pod=$(kubectl get pod -l pilotlight.dev/function=called -o 'jsonpath={.items[0].metadata.name}')
  check "followed logs have the pod's name" follows "^\[$pod\] .*testapp up"
  kubectl delete pod "$pod" --wait=false >/dev/null
  check "what an ending pod says" follows "^\[$pod\] .*drained"
  check "and then the next pod" soon another_pod "$pod"
  "$HERE/node.sh" "$STATE" "$NODE" restart kube-apiserver
  soon says '^ok$' kubectl get --raw /readyz >/dev/null
  kubectl delete pod -l pilotlight.dev/function=called >/dev/null
  check "after a restart of the API server too" soon pods_followed 3
  check "the follower lives" kill -0 $follower
  kill $follower
}

another_pod() { # NAME
  grep 'testapp up' "$work/followed" | grep -vqF "[$1]"
}

pods_followed() { # COUNT
  (($(grep 'testapp up' "$work/followed" | cut -d' ' -f1 | sort -u | wc -l) >= $1))
}

cluster() {
  local image=$work/image.tar
  "$HERE/image.sh" build "$work/foreign.tar" pilotlight.test/foreign:1 /testapp "$("$HERE/build.sh" images)/testapp" >/dev/null
  check "build" says 'has the shim' pilotlight build --from "$work/foreign.tar" -t pilotlight.test/with-shim:1 -o "$image"
  check "containerd takes it" "$HERE/image.sh" load "$STATE" "$image" "$work/foreign.tar"
  function_file called pilotlight.test/with-shim:1 >"$work/called.yaml"
  echo '  pod: {annotations: {pilotlight.dev/shim-in-image: "true"}}' >>"$work/called.yaml"
  function_file inner pilotlight.test/foreign:1 >"$work/inner.yaml"
  printf '  http: {visibility: cluster}\n  scale: {initial: 0}\n' >>"$work/inner.yaml"
  check "deploy" says '"called" is ready' kubectl fn deploy -f "$work/called.yaml" -f "$work/inner.yaml" --timeout 60s
  check "status says that the shim is in the image" says '^image$' kubectl get fn called -o 'jsonpath={.status.shim}'
  check "or that it is copied" says '^copied$' kubectl get fn inner -o 'jsonpath={.status.shim}'
  check "no init container" says '^none$' kubectl get pod -l pilotlight.dev/function=called -o 'go-template={{range .items}}{{or .spec.initContainers "none"}}{{end}}'
  invokes
  logs
  function_file broken pilotlight.test/absent:1 >"$work/broken.yaml"
  check "deploy tells why it does not get ready" refused 'ErrImageNeverPull\|ImagePullBackOff\|ErrImagePull' kubectl fn deploy -f "$work/broken.yaml" --timeout 20s
  check "delete" kubectl fn delete -f "$work/called.yaml" -f "$work/inner.yaml" -f "$work/broken.yaml" --timeout 60s
}

# ---------------------------------------------------------------- a namespace of its own

clean_up() {
  local running
  running=$(jobs -p)
  # shellcheck disable=SC2086  # one word each
  [[ -z $running ]] || kill $running 2>/dev/null || true
  if [[ -n $whole ]]; then
    quietly kubectl -n pilotlight-system delete role,rolebinding invoke-cli-test --ignore-not-found || true
    quietly kubectl delete namespace "$namespace" --ignore-not-found || true
  else
    "$HERE/api.sh" down "$STATE"
  fi
  rm -rf "$work"
}
whole=$STATE
trap clean_up EXIT
if [[ -n $whole ]]; then
  STATE=$(realpath "$STATE")
  # shellcheck disable=SC1091  # written by up.sh
  . "$STATE/env"
else
  STATE=$work/api
  "$HERE/api.sh" up --parent $$ "$STATE" >/dev/null
fi
export KUBECONFIG=$work/kubeconfig
cp "$STATE/admin.kubeconfig" "$KUBECONFIG"
if [[ -z $whole ]]; then
  quietly kubectl apply --server-side -f "$ROOT/crds"
  quietly kubectl wait --for=condition=Established crd --all --timeout=60s
fi
kubectl create namespace "$namespace" >/dev/null
kubectl config set-context --current --namespace="$namespace" >/dev/null
if [[ -n $whole ]]; then cluster; else words; fi
summary
