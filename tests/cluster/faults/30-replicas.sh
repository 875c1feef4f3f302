# Replicas and gateways that end.
# shellcheck shell=bash disable=SC2154

two_ready() { await --for=jsonpath='{.status.readyReplicas}'=2 function/loaded; }
gateways_whole() { kubectl -n "$home" rollout status deploy/pilotlight-gateway --timeout="${patience}s"; }

replica_killed() {
  make_loaded
  record_load 100
  sleep 3
  kill_in_pod "$namespace" "$(one_pod "$namespace" pilotlight.dev/function=loaded)" pilotlight-shim
  sleep 3
  check "it is replaced" two_ready
  # What it was running may fail, no more than its callers had in flight; each with 502 and the reason.
  count_load "a replica killed" 16 "502 b.*(replica|closed|reset|answer)"
}

gateway_deleted() {
  make_loaded
  record_load 100
  sleep 3
  check "a gateway is deleted" kubectl -n "$home" delete pod "$(one_pod "$home" app.kubernetes.io/component=gateway)" --timeout="${patience}s"
  check "it is replaced" gateways_whole
  count_load "a gateway's pod deleted" 0
}

restarts_of() { kubectl -n "$home" get pod "$1" -o jsonpath='{.status.containerStatuses[0].restartCount}'; } # POD
gateway_killed() {
  make_loaded
  record_load 100
  sleep 3
  local pod before open
  pod=$(one_pod "$home" app.kubernetes.io/component=gateway)
  before=$(restarts_of "$pod")
  open=$(kill_gateway_in "$pod")
  check "a gateway with $open open connections is killed" test "$open" -gt 0
  sleep 5 # the load goes on
  check "its container was not restarted" says "^$before\$" restarts_of "$pod"
  count_load "a gateway killed" "$open" 'reset|Remote end closed|ran, and its kept connection broke'
}

gateway_container_killed() { # what Kubernetes makes of it
  make_loaded
  record_load 100
  sleep 3
  kill_in_pod "$home" "$(one_pod "$home" app.kubernetes.io/component=gateway)" pilotlight-gateway
  sleep 5
  check "it is replaced" gateways_whole
  # Its open connections break, and new ones are refused until the kubelet has told of it, and the service proxy has heard: up to 2 s.
  count_load "a gateway's container killed" 120 'reset|refused|Remote end closed|ran, and its kept connection broke'
}
