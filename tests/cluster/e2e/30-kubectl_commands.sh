# What people type.
# shellcheck shell=bash disable=SC2154

# Every object of the namespace but events, one a line.
objects() {
  local kinds
  kinds=$(kubectl api-resources --verbs=list --namespaced -o name | grep -vE '^events|metrics' | paste -sd,)
  kubectl get "$kinds" -o name --ignore-not-found 2>/dev/null | sort
}
same_objects_as() { diff "$1" <(objects); } # FILE
replicas_ready() { await --for=jsonpath='{.status.readyReplicas}'="$2" "function/$1"; }
operator_may() { kubectl auth can-i --list --as="system:serviceaccount:$home:pilotlight-operator"; }
secrets_of_operator() { operator_may | awk '$1 ~ /^(secrets|\*)(\.|$)/'; }

kubectl_commands() {
  local spec="$hello, $at_zero"
  objects >"$work/before"
  check "server-side dry run" says 'created (server dry run)' kubectl apply --dry-run=server -f - <<<"$(function_of hello "$spec")"
  check "it makes nothing" same_objects_as "$work/before"
  check "apply" says 'function.pilotlight.dev/hello created' make_function hello "$spec"
  check "wait --for=condition=Ready" is_ready hello
  check "apply again changes nothing" says 'unchanged' make_function hello "$spec"
  check "get fn" says "^hello *True .*http://hello.$namespace.localhost" kubectl get fn
  check "get fn -o wide" says "^NAME *READY *REPLICAS *URL *WARM *PARKED *STABLE *LATEST *REASON *AGE" kubectl get fn -o wide
  check "get fn -o wide has the version and the reason" says "^hello .* 1 *1 *Ready " kubectl get fn -o wide
  check "explain function.spec.scale" says 'toZeroAfter.*<string>' kubectl explain function.spec.scale
  check "explain tells what a field means" says 'Idle time after which the last replica goes' kubectl explain function.spec.scale.toZeroAfter
  check "scale fn/hello --replicas=3" kubectl scale fn/hello --replicas=3
  check "three are there" replicas_ready hello 3
  check "and stay, idle" says '^3$' kubectl get deployment hello-00001 -o jsonpath='{.spec.replicas}'
  check "automatic again" kubectl patch fn/hello --type=json --patch '[{"op": "remove", "path": "/spec/replicas"}]'
  check "it goes out" goes_out hello
  check "describe names the conditions" says 'requests are served' kubectl describe fn/hello
  check "describe tells what happened" eventually says 'VersionCreated.*version 1 was made' kubectl describe fn/hello
  check "and that it went out" eventually says 'ScaledToZero.*no replica runs any more' kubectl describe fn/hello
  check "an image that is nowhere" make_function broken "image: pilotlight.test/nowhere:1, handler: [x]"
  check "describe names the trouble" eventually says 'Pull.*pilotlight.test/nowhere:1' kubectl describe fn/broken
  check "get fn -o wide too" eventually says '^broken *False .*Pull' kubectl get fn -o wide
  check "auth can-i --list: what the operator may" says '^functions.pilotlight.dev ' operator_may
  check "reads no Secret" says '^$' secrets_of_operator
  check "delete" kubectl delete fn hello broken --timeout="${patience}s"
  check "leaves nothing" eventually same_objects_as "$work/before"
  check "the gateways know it no more" eventually says '^404$' status_of hello
}
