# Operators that are killed, gone, or told a wrong time.
# shellcheck shell=bash disable=SC2154

answers_round() { says "^$2\$" ask "$1"; } # NAME ROUND

operator_killed() {
  local kills=${KILLS:-50} churned=5 i name
  make_loaded
  take_operator_out
  start_operator
  await_leader
  check "an operator of this machine leads" leads
  record_load 100
  for ((i = 1; i <= kills; ++i)); do
    name=churn-$((RANDOM % churned))
    case $((RANDOM % 3)) in
      0) quietly kubectl delete function "$name" --ignore-not-found --wait=false || true ;;
      *) quietly make_function "$name" "$(recording 'scale: {initial: 1, toZeroAfter: 10m}' ", {name: ROUND, value: \"$i\"}")" || true ;;
    esac
    sleep "0.$((RANDOM % 10))" # at a random step of what it does
    kill_operator
    start_operator
    await_leader
    quietly leads || check "operator $i leads" leads
  done
  for ((i = 0; i < churned; ++i)); do
    name=churn-$i
    if kubectl get function "$name" >/dev/null 2>&1; then
      check "$name is Ready in the end" is_ready "$name"
      check "$name runs what was applied last" eventually answers_round "$name" \
        "$(kubectl get function "$name" -o jsonpath='{.spec.env[?(@.name=="ROUND")].value}')"
    else
      check "nothing is left of $name" eventually all_gone "$name"
    fi
  done
  count_load "$kills operators killed" 0
  kill_operator
  put_operator_back
}

operator_gone() {
  make_loaded
  make_sleeper cold
  kubectl -n "$home" scale deploy/pilotlight-operator --replicas=0 >/dev/null
  check "no operator is left" kubectl -n "$home" wait --for=delete pod -l app.kubernetes.io/component=operator --timeout="${patience}s"
  record_load 100
  check "a function at zero is woken without one" says 'Hello, Ada!' ask cold '/?name=Ada'
  sleep 60 # the fault: a minute without
  count_load "a minute without operators" 0
  put_operator_back
  check "back again, it takes the function to zero" goes_out cold
}

clock_jumps() {
  local library
  library=$(compgen -G '/usr/lib/*/faketime/libfaketime.so.1') || { check "libfaketime is installed" false; return; }
  make_loaded
  make_sleeper cold
  take_operator_out
  echo "+0" >"$work/time"
  start_operator LD_PRELOAD="$library" FAKETIME_TIMESTAMP_FILE="$work/time" FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1
  await_leader
  check "an operator of this machine leads" leads
  record_load 100
  local jump
  for jump in +1h -1h +0; do
    check "clock $jump: a function is woken" says 'Hello, Ada!' ask cold '/?name=Ada'
    echo "$jump" >"$work/time"
    check "clock $jump: it goes to zero" goes_out cold
    check "clock $jump: a change is carried out" make_function cold "$hello, env: [{name: A, value: \"$jump\"}], scale: {initial: 0, toZeroAfter: 3s}"
    check "clock $jump: it is Ready" is_ready cold
  done
  check "the operator is the same process still" kill -0 "$operator"
  count_load "the operator's clock an hour ahead and behind" 0
  kill_operator
  put_operator_back
}
