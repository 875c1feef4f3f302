# Two nodes; each is drained in turn while requests come.
# shellcheck shell=bash disable=SC2154

nodes_of() { kubectl -n "$1" get pods -l "$2" -o jsonpath='{range .items[*]}{.spec.nodeName}{"\n"}{end}' | sort -u; } # NAMESPACE SELECTOR
on_both() { [[ $(nodes_of "$@" | wc -l) == 2 ]] || { nodes_of "$@"; return 1; }; }
only_on() { [[ $(nodes_of "${@:2}") == "$1" ]] || { nodes_of "${@:2}"; return 1; }; } # NODE NAMESPACE SELECTOR
whole() { # everything is up again
  kubectl -n "$home" rollout status deploy/pilotlight-gateway --timeout="${patience}s" &&
    kubectl -n "$home" rollout status deploy/pilotlight-operator --timeout="${patience}s" && replicas_ready spread 2
}
drained() { kubectl drain "$1" --ignore-daemonsets --delete-emptydir-data --force --timeout="${patience}s"; }

nodes() {
  local second=$NODE-2
  check "a second node joins" "$HERE/up.sh" --join "$second" "$STATE"
  kubectl -n "$home" rollout restart deploy/pilotlight-gateway deploy/pilotlight-operator >/dev/null
  check "a function of two replicas" make_function spread "$hello, scale: {min: 2}"
  check "it is Ready" is_ready spread
  check "all is up" whole
  check "gateways are on both nodes" on_both "$home" app.kubernetes.io/component=gateway
  check "so are the replicas" on_both "$namespace" pilotlight.dev/function=spread
  start_load 50 spread
  check "the second node is drained" drained "$second"
  check "all is up on the first" whole
  check "the replicas are there" only_on "$NODE" "$namespace" pilotlight.dev/function=spread
  kubectl uncordon "$second" >/dev/null
  check "the first node is drained, and may not take both replicas at once" says 'pods/"spread-.*violate the pod.s disruption budget' drained "$NODE"
  check "all is up on the second" whole
  check "the replicas are there" only_on "$second" "$namespace" pilotlight.dev/function=spread
  check "a function at zero is woken there" make_function cold "$hello, $at_zero"
  check "is Ready" is_ready cold
  check "it answers" says 'Hello, Ada!' ask cold '/?name=Ada'
  kubectl uncordon "$NODE" >/dev/null
  end_of_load
  check "the second node is drained again" drained "$second"
  check "all is up on the first again" whole
  check "it leaves" "$HERE/down.sh" --node "$second" "$STATE"
}
