# Functions made, deleted and made again, and very many at once.
# shellcheck shell=bash disable=SC2154

uid_of() { kubectl get function "$1" -o jsonpath='{.metadata.uid}'; }
owned_by() { # NAME UID: all that it has is this one's
  local owners
  owners=$(kubectl get functionversions,functionroutes,deployments,services,serviceaccounts -l "pilotlight.dev/function=$1" \
    -o jsonpath='{range .items[*]}{.metadata.ownerReferences[0].uid}{"\n"}{end}' | sort -u)
  [[ $owners == "$2" ]] || { echo "owners: $owners, wanted $2"; return 1; }
}

made_again() {
  local i
  make_loaded
  record_load 100
  for i in 1 2 3 4 5 6 7 8 9 10; do
    check "made, time $i" make_function again "$(recording 'scale: {min: 1}' ", {name: ROUND, value: \"$i\"}")"
    check "deleted at once" kubectl delete function again --wait=false
  done
  check "made a last time" make_function again "$(recording 'scale: {min: 1}' ', {name: ROUND, value: "last"}')"
  check "it is Ready" is_ready again
  check "it answers" eventually says '^last$' ask again
  check "all it has is its own" eventually owned_by again "$(uid_of again)"
  count_load "a Function deleted and made again ten times" 0
}

apply_share() { # NUMBER: of ten clients
  local i
  for ((i = $1; i < 1000; i += 10)); do printf -- '---\n'; function_of "many-$i" "$hello, scale: {initial: 0}"; done | kubectl apply --server-side -f -
}
all_applied() {
  local i clients=() status=0
  for ((i = 0; i < 10; ++i)); do apply_share $i >"$work/client-$i" 2>&1 & clients+=($!); done
  for i in "${clients[@]}"; do wait "$i" || status=1; done
  cat "$work"/client-*
  return $status
}
count_ready() { kubectl get functions -o jsonpath='{range .items[*]}{.metadata.name}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | grep -c '^many.*True'; }
all_ready() { # asked seldom: it is a load by itself
  local ready
  ready=$(count_ready)
  [[ $ready == 1000 ]] || { echo "$ready are Ready"; sleep 1; return 1; }
}

thousand() {
  local start
  make_loaded
  record_load 100
  start=$(now_ms)
  check "ten clients apply a thousand Functions at once" all_applied
  check "all are Ready" eventually all_ready
  echo "     a thousand Functions: Ready $(($(now_ms) - start)) ms after the first was applied"
  check "one of them answers" says 'Hello, Ada!' ask many-777 '/?name=Ada'
  count_load "a thousand Functions by ten clients" 0
}
