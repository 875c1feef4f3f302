#!/usr/bin/env bash
# Ends what up.sh started and leaves nothing: no process, namespace, mount, cgroup, setting of the kernel, file.
#   down.sh [STATE]                 all nodes. KEEP=log keeps the logs
#   down.sh --node NAME [STATE]     one that joined
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
# shellcheck source=settings.sh
. "$HERE/settings.sh"

began=$(now_ms)

dead() { ! ours "$1" "$2"; } # PID TEXT

end_processes() { # FOLDER
  local folder=$1 inner outer
  inner=$(node_process "$folder")
  outer=$(cat "$folder/run/outer.hostpid" 2>/dev/null || true)
  if ours "$inner" "node-init.sh $folder"; then
    kill -TERM "$inner"
    within 15 dead "$inner" "node-init.sh $folder" || kill -KILL "$inner"
  fi
  # unshare ends with its child; killed, it takes the child along
  within 5 dead "$outer" "node-init.sh $folder" || kill -KILL "$outer"
}

remove_cgroups() { # NAME
  local hierarchy
  for hierarchy in "${CGROUPS[@]}"; do
    within 5 no_cgroup "/sys/fs/cgroup/$hierarchy/$1" || echo "left: /sys/fs/cgroup/$hierarchy/$1" >&2
  done
}

no_cgroup() { # GROUP: busy for a moment after its last process
  [[ ! -d $1 ]] || find "$1" -depth -type d -exec rmdir {} \; 2>/dev/null || true
  [[ ! -d $1 ]]
}

forget_routes() { # FOLDER: at the other nodes
  local pods other
  pods=$(node_pods "$(<"$1/index")")
  for other in $(node_folders); do
    [[ $other == "$1" ]] || ip -n "${other##*/}" route del "$pods" 2>/dev/null || true
  done
}

node_down() { # FOLDER
  local name=${1##*/}
  end_processes "$1"
  if ip netns list | grep -qw "$name"; then ip netns del "$name"; fi # its links go with it
  remove_cgroups "$name"
  if [[ ${KEEP:-} == log ]]; then
    find "$1" -mindepth 1 -maxdepth 1 ! -name log ! -name var-log -exec rm -rf {} +
  else
    rm -rf "$1"
  fi
}

down_one() { # NAME
  local folder=$STATE/nodes/$1 kube
  [[ $1 != "$NODE" ]] || die "$1 is the first node: down.sh $STATE ends all"
  [[ -e $folder ]] || return 0
  forget_routes "$folder"
  node_down "$folder"
  kube=$("$HERE/build.sh" kubernetes)
  "$kube/kubectl" --kubeconfig "$STATE/admin.kubeconfig" delete node "$1" --ignore-not-found >/dev/null
}

down_all() {
  local folder pid
  pid=$(cat "$STATE/nodes/$NODE/run/host-port.hostpid" 2>/dev/null || true)
  if ours "$pid" "TCP-LISTEN:$PORT,"; then kill -TERM "$pid"; fi
  for folder in $(node_folders); do
    [[ $folder == "$STATE/nodes/$NODE" ]] || node_down "$folder"
  done
  [[ ! -e $STATE/nodes/$NODE ]] || node_down "$STATE/nodes/$NODE"
  restore_machine
  if [[ ${KEEP:-} == log ]]; then
    rm -rf "${STATE:?}"/{pki,env,images,admin.kubeconfig}
  else
    rm -rf "$STATE"
    rmdir "$ROOT/build/cluster" 2>/dev/null || true # when nothing else of ours is there
  fi
}

node=
if [[ ${1:-} == --node ]]; then
  node=${2:?NAME}
  shift 2
fi
[[ ${1:-} != -* ]] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 2; }
STATE=$(realpath -m "${1:-$ROOT/build/cluster/state}")
[[ -e $STATE/env ]] || { echo "not up: $STATE"; exit 0; }
# shellcheck disable=SC1091  # written by up.sh
. "$STATE/env"
if [[ -n $node ]]; then down_one "$node"; else down_all; fi
echo "down: $(($(now_ms) - began)) ms"
