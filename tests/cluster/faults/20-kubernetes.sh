# Kubernetes' own parts that are gone for a while.
# shellcheck shell=bash disable=SC2154

api_answers() { kubectl get --raw /readyz; }
part_gone() { # PART SECONDS: while it is gone, what runs goes on, and what sleeps waits
  make_loaded
  make_sleeper cold
  record_load 100
  on_node kill "$1"
  check "$1 gone: a request to a function at zero waits, then is told so" says '^503$' status_of cold
  sleep "$2"
  on_node start "$1"
  check "$1 is back" eventually api_answers
  quietly status_of cold &
  check "a gateway raises a function at zero" at_scale cold 1
  check "Kubernetes starts it, and it answers" eventually says 'Hello, Ada!' ask cold '/?name=Ada'
  check "and goes to zero" goes_out cold
  count_load "$1 gone for $2 s and more" 0
}
api_server_gone() { part_gone kube-apiserver 10; }
etcd_gone() { part_gone etcd 10; }

node_parts_gone() {
  make_loaded
  make_sleeper cold
  record_load 100
  on_node kill kubelet
  on_node kill containerd
  sleep 10 # the fault
  on_node start containerd
  on_node start kubelet
  check "a function is woken again" eventually says 'Hello, Ada!' ask cold '/?name=Ada'
  check "and goes to zero" goes_out cold
  count_load "kubelet and containerd gone for 10 s" 0
}

restarts() { # of watches, by all gateways
  local pod sum=0 count
  for pod in $(kubectl -n "$home" get pods -l app.kubernetes.io/component=gateway -o jsonpath='{.items[*].status.podIP}'); do
    count=$(in_network curl -sS --max-time 10 "http://$pod:8081/metrics" | sed -n 's/^pilotlight_gateway_watch_restarts_total //p')
    sum=$((sum + ${count%.*}))
  done
  echo "$sum"
}
more_restarts() { (($(restarts) > $1)) || { echo "still $1"; return 1; }; }
answers_word() { says "^$2\$" ask "$1"; }

watch_expired() {
  make_loaded
  check "a function that says what it is" make_function tells "$(recording 'scale: {min: 1}' ', {name: ROUND, value: "0"}')"
  check "it is Ready" is_ready tells
  record_load 100
  local i before
  before=$(restarts)
  for i in 1 2 3; do
    on_node restart kube-apiserver # older versions than its start's are gone: 410
    check "API server $i is up" eventually api_answers
    check "a change after it" make_function tells "$(recording 'scale: {min: 1}' ", {name: ROUND, value: \"$i\"}")"
    check "is carried out" eventually answers_word tells "$i"
  done
  check "gateways have listed again" eventually more_restarts "$before"
  count_load "watches cut and expired" 0
}
