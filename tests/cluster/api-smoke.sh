#!/usr/bin/env bash
# Checks api.sh: what it starts, that its parts can be killed, and that nothing is left at its end.   api-smoke.sh
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
# shellcheck source=checks.sh
. "$HERE/checks.sh"
PATH=$("$HERE/build.sh" kubernetes):$PATH
work=$(mktemp -d)
state=$work/api
export PATH KUBECONFIG=$state/admin.kubeconfig

api() { "$HERE/api.sh" "$@"; }
clean_up() {
  local each
  for each in "$work"/*/run; do [[ ! -e $each ]] || api down "${each%/run}"; done
  rm -rf "$work"
}
trap clean_up EXIT

# ---------------------------------------------------------------- what is asked of it

takes_away_the_owned() {
  kubectl create configmap owner >/dev/null
  kubectl create -f - >/dev/null <<Y
apiVersion: v1
kind: ConfigMap
metadata:
  name: owned
  ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: owner, uid: $(kubectl get configmap owner -o jsonpath='{.metadata.uid}')}]
Y
  kubectl delete configmap owner >/dev/null
  soon refused 'not found' kubectl get configmap owned
}

is_a_service_account() {
  local token
  token=$(kubectl create token default)
  # A kubeconfig without credentials of its own: a certificate would win over the token.
  says 'system:serviceaccount:default:default' kubectl --kubeconfig "$state/nobody.kubeconfig" --token "$token" auth whoami
}

port_is_held() { # nobody else gets the port meanwhile
  refused 'Address already in use' python3 -c 'import socket, sys; socket.socket().bind(("127.0.0.1", int(sys.argv[1])))' "$(<"$state/run/port")"
}

stays_away() {
  api kill "$state" kube-apiserver
  refused 'refused' kubectl get --raw /readyz && port_is_held && api start "$state" kube-apiserver && keeps_its_objects
}

keeps_its_objects() { says '^kept$' kubectl get configmap kept -o jsonpath='{.data.v}'; }
restarts_and_keeps() { api restart "$state" "$1" && keeps_its_objects; }
works_again() { kubectl create namespace after >/dev/null && soon kubectl -n after get serviceaccount default; }
has_flag() { grep -qz -- "$1" "/proc/$(<"$2/run/kube-apiserver.pid")/cmdline"; }

note_processes() { pgrep -s "$(<"$1/run/supervisor.pid")" >"$work/processes"; } # STATE: all of its session
gone() { # those noted
  (($(wc -l <"$work/processes") >= 5)) || die "noted too few" # supervisor, its three parts, who holds the port
  not ps -o pid=,args= -p "$(paste -sd, "$work/processes")"
}

ends_with_its_parent() {
  local other=$work/other parent
  sleep 60 &
  parent=$!
  api up --parent "$parent" "$other" >/dev/null
  note_processes "$other"
  kill "$parent"
  soon gone && soon test ! -e "$other"
}

ends_with_its_supervisor() {
  local other=$work/other
  api up "$other" >/dev/null
  note_processes "$other"
  kill -KILL "$(<"$other/run/supervisor.pid")"
  soon gone && api up "$other" && api down "$other"
}

two_at_once() {
  api up "$work/two" -- --event-ttl=7m >/dev/null
  has_flag --event-ttl=7m "$work/two" && not has_flag --event-ttl=7m "$state" &&
    not cmp -s "$work/two/run/port" "$state/run/port" && kubectl --kubeconfig "$work/two/admin.kubeconfig" get namespaces &&
    api down "$work/two"
}

tells_of_a_wrong_flag() {
  refused 'kube-apiserver does not stay: .*unknown flag: --nonsense' api up "$work/wrong" -- --nonsense && test ! -e "$work/wrong/run"
}

ends() {
  note_processes "$state"
  api down "$state" && soon gone && test ! -e "$state"
}

# ---------------------------------------------------------------- the checks

check "starts, and says where its kubeconfig is" says "^$KUBECONFIG\$" api up "$state"
check "twice is as once" says "^$KUBECONFIG\$" api up "$state"
check "a client certificate" says 'system:masters' kubectl auth whoami
check "a bearer token" says 'token-admin' kubectl --kubeconfig "$state/token.kubeconfig" auth whoami
check "a bearer token without rights" refused 'token-nobody.*cannot list' kubectl --kubeconfig "$state/nobody.kubeconfig" get pods
check "a token of a service account" is_a_service_account
check "no credentials" refused 'Unauthorized\|cannot get path' kubectl --kubeconfig "$state/nobody.kubeconfig" --token wrong get --raw /version
check "the garbage collector" takes_away_the_owned
check "a deployment makes pods" kubectl create deployment web --image=web --replicas=2
check "two of them" soon says '^2$' kubectl get deployment web -o jsonpath='{.status.replicas}'
check "a namespace" kubectl create namespace short-lived
check "which ends whole" kubectl delete namespace short-lived --timeout=30s
kubectl create configmap kept --from-literal=v=kept >/dev/null
check "two at once, one with a flag of its own" two_at_once
check "a killed API server stays away, with its port, until it is started" stays_away
for part in kube-apiserver etcd kube-controller-manager; do check "$part is killed and started" restarts_and_keeps $part; done
check "controllers work again" works_again
check "it tells of a flag that the API server does not know" tells_of_a_wrong_flag
check "it ends with its parent" ends_with_its_parent
check "its parts end with a supervisor that is killed" ends_with_its_supervisor
check "it ends, and nothing is left" ends
check "ending twice is as once" api down "$state"
summary
