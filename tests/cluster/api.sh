#!/usr/bin/env bash
# A Kubernetes API alone, on a free port of 127.0.0.1: etcd, kube-apiserver and kube-controller-manager. No nodes, so pods are
# objects only. Needs no root; as many at once as there are STATE folders.
#   api.sh up [--parent PID] [STATE] [-- FLAG...]
#       starts it, prints the path of the administrator's kubeconfig. It ends with `down`, or when process PID is gone.
#       FLAGs are added to kube-apiserver's. Up already: prints the path again.
#   api.sh down [STATE]                       ends it, removes STATE (KEEP=log: all but the logs)
#   api.sh kill|start|restart STATE PART      PART: etcd, kube-apiserver or kube-controller-manager. kill is SIGKILL, and the part
#                                             stays away until start; restart is both. start returns when the API answers.
# STATE (build/cluster/api) holds admin.kubeconfig (client certificate), token.kubeconfig (bearer token, administrator),
# nobody.kubeconfig (bearer token, no rights), run/PART.pid and log/PART.log.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
# shellcheck source=pki.sh
. "$HERE/pki.sh"

parts=(etcd kube-apiserver kube-controller-manager)
deadline=120 # seconds, for a start on a busy machine

# ---------------------------------------------------------------- the supervisor: a session and process group of its own

# A part never outlives the supervisor, however that ends: the kernel kills it then.
part_exec() { exec setpriv --pdeathsig KILL -- "$@"; }

run_etcd() {
  part_exec "$KUBE/etcd" --name=api --data-dir=../etcd --unsafe-no-fsync --logger=zap --log-level=warn \
    --listen-client-urls=unix://etcd:0 --advertise-client-urls=unix://etcd:0 \
    --listen-peer-urls=unix://peer:0 --initial-advertise-peer-urls=unix://peer:0 --initial-cluster=api=unix://peer:0
}

run_kube-apiserver() {
  part_exec "$KUBE/kube-apiserver" --bind-address=127.0.0.1 --advertise-address=127.0.0.1 --endpoint-reconciler-type=none \
    --secure-port="$(<port)" --permit-port-sharing --etcd-servers=unix://etcd:0 \
    --client-ca-file="$PKI/ca.crt" --token-auth-file="$PKI/tokens.csv" \
    --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$PKI/sa.pub" --service-account-signing-key-file="$PKI/sa.key" \
    --service-cluster-ip-range=198.19.0.0/16 --authorization-mode=RBAC --shutdown-delay-duration=0s "${apiserver_flags[@]}"
}

# Without nodes: what evicts or collects the pods of nodes that don't report would remove the pods a test placed by hand.
run_kube-controller-manager() {
  part_exec "$KUBE/kube-controller-manager" --kubeconfig="$STATE/admin.kubeconfig" --leader-elect=false --secure-port=0 \
    --controllers='*,-node-ipam-controller,-node-lifecycle-controller,-node-route-controller,-service-lb-controller,-pod-garbage-collector-controller,-taint-eviction-controller' \
    --root-ca-file="$PKI/ca.crt" --service-account-private-key-file="$PKI/sa.key" \
    --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key" --kube-api-qps=200 --kube-api-burst=400
}

# Bound but not listening: the port stays ours while kube-apiserver is away, and nobody's connection comes here.
hold_port() {
  part_exec python3 -c '
import signal, socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
signal.pause()'
}

may_start() { # PART
  [[ ! -e $1.hold ]] || return 1
  case $1 in
    kube-apiserver) [[ -S etcd:0 ]] ;;
    kube-controller-manager) [[ -e api.ready ]] ;;
  esac
}

keep_running() { # PART
  local part=$1
  if [[ -n ${pids[$part]:-} ]]; then
    kill -0 "${pids[$part]}" 2>/dev/null && return
    echo "$(date -u +%FT%T.%3NZ) $part ended"
    unset "pids[$part]"
    rm -f "$part.pid"
  fi
  may_start "$part" || return 0
  [[ $part != etcd ]] || rm -f etcd:0 peer:0 # of an etcd that was killed
  "run_$part" >>"../log/$part.log" 2>&1 &
  pids[$part]=$!
  echo "$(date -u +%FT%T.%3NZ) $part started, process $!"
  echo $! >"$part.pid"
}

# started PID: when the process started, or nothing when it is gone. With it a number that was given away again is told apart.
started() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

serve_ends() {
  kill -KILL "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  cd /
  [[ -z ${orphaned:-} ]] || remove_state # otherwise `down` does, or somebody wants the logs
}

serve() { # PARENT FLAG...
  local parent=$1 parent_started='' wake part
  apiserver_flags=("${@:2}")
  declare -gA pids=()
  cd "$STATE/run"
  trap serve_ends EXIT
  trap 'exit 0' TERM INT HUP
  [[ -z $parent ]] || parent_started=$(started "$parent")
  mkfifo wake
  exec {wake}<>wake
  hold_port >port &
  pids[port]=$!
  while [[ -z $parent || $(started "$parent") == "${parent_started:-gone}" ]]; do
    for part in "${parts[@]}"; do keep_running "$part"; done
    read -r -t 0.2 -u "$wake" _ || true
  done
  orphaned=1
}

# ---------------------------------------------------------------- the commands

supervised() { ours "$(cat "$STATE/run/supervisor.pid" 2>/dev/null)" "__serve $STATE"; }
wake() { echo 1<>"$STATE/run/wake"; } # opened for both, which does not wait for a reader
api() { curl -sf --max-time 5 --cacert "$PKI/ca.crt" --cert "$PKI/admin.crt" --key "$PKI/admin.key" "https://127.0.0.1:$(<"$STATE/run/port")$1" >/dev/null; }
ready() { api /readyz; }
controllers_run() { api /api/v1/namespaces/default/serviceaccounts/default; }

remove_state() {
  [[ -e $STATE/pki/ca.crt ]] || return 0 # only a folder that `up` made
  if [[ ${KEEP:-} == log ]]; then rm -rf "${STATE:?}"/{pki,run,etcd,*.kubeconfig}; else rm -rf "$STATE"; fi
}

make_keys() {
  (umask 077 && mkdir -p "$PKI")
  ca ca
  cert apiserver ca /CN=kube-apiserver serverAuth DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1
  cert admin ca /O=system:masters/CN=admin clientAuth
  service_account_keys
  local name
  for name in admin nobody; do openssl rand -hex 16 >"$PKI/$name.token"; done
  printf '%s,token-admin,1,system:masters\n%s,token-nobody,2\n' "$(<"$PKI/admin.token")" "$(<"$PKI/nobody.token")" >"$PKI/tokens.csv"
}

make_kubeconfigs() {
  local server
  server=https://127.0.0.1:$(<"$STATE/run/port")
  kubeconfig "$STATE/admin.kubeconfig" "$server" "$(by_certificate admin)"
  kubeconfig "$STATE/token.kubeconfig" "$server" "token: $(<"$PKI/admin.token")"
  kubeconfig "$STATE/nobody.kubeconfig" "$server" "token: $(<"$PKI/nobody.token")"
}

# A part that ends as often as it is started, before the first `up` is through: a wrong flag, mostly.
fail_when_hopeless() {
  [[ ! -e $STATE/run/up ]] || return 0
  local part
  for part in "${parts[@]}"; do
    (($(grep -c " $part ended" "$STATE/log/supervisor.log") < 4)) || die "$part does not stay: $(tail -n 1 "$STATE/log/$part.log")"
  done
}

# await WHAT CMD...: until CMD succeeds, while there is hope
await() {
  local end=$((SECONDS + deadline)) what=$1
  shift
  until "$@"; do
    supervised || die "ended before $what: see $STATE/log"
    fail_when_hopeless
    ((SECONDS < end)) || die "no $what within $deadline s: see $STATE/log"
    sleep 0.05
  done
}

start_all() { # PARENT FLAG...
  remove_state # of one that ended without `down`
  rm -rf "$STATE/log"
  mkdir -p "$STATE/log"
  (umask 077 && mkdir "$STATE/run") # whoever reaches etcd's socket there is master
  make_keys
  KUBE=$KUBE setsid "$HERE/api.sh" __serve "$STATE" "$@" </dev/null >>"$STATE/log/supervisor.log" 2>&1 &
  echo $! >"$STATE/run/supervisor.pid"
  trap '[[ -e $STATE/run/up ]] || KEEP=log down' EXIT # an `up` that fails or is interrupted leaves its logs only
  within 5 supervised || die "did not start: see $STATE/log"
  await "port" test -s "$STATE/run/port"
  make_kubeconfigs
  await "API" ready
  touch "$STATE/run/api.ready"
  wake
  await "controllers" controllers_run
  touch "$STATE/run/up"
}

up() { # [--parent PID] [STATE] [-- FLAG...]
  local parent=''
  if [[ ${1:-} == --parent ]]; then
    parent=${2:?}
    [[ -n $(started "$parent") ]] || die "no process $parent"
    shift 2
  fi
  if [[ ${1:---} != -- ]]; then
    use_state "$1"
    shift
  fi
  [[ ${1:-} != -- ]] || shift
  need openssl curl python3 setpriv setsid
  KUBE=$("$HERE/build.sh" kubernetes)
  if supervised; then await "API" test -e "$STATE/run/up"; else start_all "$parent" "$@"; fi
  echo "$STATE/admin.kubeconfig"
}

down() {
  local pid
  pid=$(cat "$STATE/run/supervisor.pid" 2>/dev/null || true)
  if supervised; then
    kill -TERM "$pid"
    within 20 not_supervised "$pid" || kill -KILL "$pid"
  fi
  remove_state
}
not_supervised() { ! ours "$1" "__serve $STATE"; }

kill_part() { # PART
  local pid
  touch "$STATE/run/$1.hold"
  pid=$(cat "$STATE/run/$1.pid" 2>/dev/null || true)
  [[ -z $pid ]] || kill -KILL "$pid" 2>/dev/null || true
  wake
  within 10 test ! -e "$STATE/run/$1.pid" || die "$1 did not end"
}

start_part() { # PART
  rm -f "$STATE/run/$1.hold"
  wake
  await "$1" test -e "$STATE/run/$1.pid"
  await "API" ready
}

use_state() {
  STATE=$(realpath -m "$1")
  PKI=$STATE/pki
}

use_part() { # STATE PART
  use_state "${1:?STATE}"
  [[ " ${parts[*]} " == *" ${2:-} "* ]] || die "unknown part '${2:-}'; allowed: ${parts[*]}"
  supervised || die "not up: $STATE"
}

use_state "$ROOT/build/cluster/api"
case ${1:-} in
  up) up "${@:2}" ;;
  down) use_state "${2:-$STATE}"; down ;;
  kill) use_part "${@:2}"; kill_part "$3" ;;
  start) use_part "${@:2}"; start_part "$3" ;;
  restart) use_part "${@:2}"; kill_part "$3"; start_part "$3" ;;
  __serve) use_state "$2"; serve "${@:3}" ;;
  *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 2 ;;
esac
