#!/usr/bin/env bash
# Acts on one node of a running cluster.
#   node.sh STATE NAME exec CMD...             in its network, mounts and processes: pods and services can be reached there
#   node.sh STATE NAME network CMD...          in its network only, with the host's files and processes
#   node.sh STATE NAME kill|start|restart PART
# PART: containerd, kubelet, kube-proxy; on the first node also etcd, kube-apiserver, kube-controller-manager, kube-scheduler.
# kill is SIGKILL, and the part stays away until start; restart is both. A part that ends by itself starts again after 0.5 s.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
# shellcheck source=settings.sh
. "$HERE/settings.sh"

usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 2; }

use_part() { # PART
  local parts="containerd kubelet kube-proxy"
  [[ $(<"$folder/index") != 1 ]] || parts+=" etcd kube-apiserver kube-controller-manager kube-scheduler"
  [[ " $parts " == *" $1 "* ]] || die "unknown part '$1'; allowed: $parts"
}

kill_part() { # PART
  touch "$folder/run/$1.hold"
  in_node "$folder" sh -c "kill -KILL \$(cat '$folder/run/$1.pid')" 2>/dev/null || true # it may be away already
  within 10 test ! -e "$folder/run/$1.pid" || die "$1 did not end"
}

start_part() { # PART
  rm -f "$folder/run/$1.hold"
  within 10 test -e "$folder/run/$1.pid" || die "$1 did not start"
}

(($# >= 4)) || usage
STATE=$(realpath -m "$1")
folder=$STATE/nodes/$2
node_lives "$folder" || die "no running node $2 in $STATE"
case $3 in
  exec) in_node "$folder" "${@:4}" ;;
  network) nsenter -t "$(node_process "$folder")" -n -- "${@:4}" ;;
  kill) use_part "$4"; kill_part "$4" ;;
  start) use_part "$4"; start_part "$4" ;;
  restart) use_part "$4"; kill_part "$4"; start_part "$4" ;;
  *) usage ;;
esac
