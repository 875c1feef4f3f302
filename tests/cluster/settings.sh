# Names and addresses of the cluster with nodes. Sourced, never run.
# shellcheck shell=bash
# shellcheck disable=SC2034  # used by those that source it

# Every address is inside the nodes' own network namespaces, which no link leaves: 198.18.0.0/15 is the range for
# benchmarks, which no real host has. Only the API server is also on the host's 127.0.0.1.
NODE=${NODE:-pilotlight}    # first node: its name, network namespace and cgroup. NODE and PORT together give a cluster beside the first
PORT=${PORT:-6443}          # API server
API_ADDRESS=198.18.0.1      # of the first node
NODES_CIDR_BITS=17          # 198.18.0.0/17: nodes
PODS_CIDR=198.18.128.0/17   # each node has a /22 of it
SERVICES_CIDR=198.19.0.0/16
SERVICE_API=198.19.0.1
SERVICE_DNS=198.19.0.10
MAX_NODES=32

node_address() { echo "198.18.0.$1"; }                # INDEX, from 1 on
node_pods() { echo "198.18.$((124 + 4 * $1)).0/22"; } # INDEX

CNI_BIN=/usr/lib/cni # of Debian's containernetworking-plugins
CGROUPS=(cpu cpuacct cpuset memory devices freezer blkio pids systemd unified)
# What the kubelet changes for the whole machine, whatever namespace it is in.
SYSCTLS=(vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes)

# The machine's settings are saved by the cluster that starts first, and put back by the one that ends last.
MACHINE=/run/pilotlight-cluster

save_machine() {
  local name lock
  exec {lock}</run
  flock "$lock"
  if [[ ! -e $MACHINE ]]; then
    mkdir -p "$MACHINE/clusters"
    [[ -e /run/netns ]] || touch "$MACHINE/no-netns" # `ip netns` makes it, and a mount on it
    for name in "${SYSCTLS[@]}"; do echo "$name $(<"/proc/sys/$name")"; done >"$MACHINE/sysctls"
  fi
  touch "$MACHINE/clusters/$NODE"
  exec {lock}<&-
}

restore_machine() {
  local name value lock
  exec {lock}</run
  flock "$lock"
  rm -f "$MACHINE/clusters/$NODE"
  if [[ -e $MACHINE && -z $(ls "$MACHINE/clusters") ]]; then
    while read -r name value; do echo "$value" >"/proc/sys/$name"; done <"$MACHINE/sysctls"
    # Somebody else's namespaces keep the folder.
    if [[ -e $MACHINE/no-netns && -z $(ip netns list) ]]; then umount -n /run/netns && rmdir /run/netns; fi
    rm -rf "$MACHINE"
  fi
  exec {lock}<&-
}

# A node is a folder, STATE/nodes/NAME; its file index tells its addresses.
node_folders() { compgen -G "$STATE/nodes/*" | sort || true; }
node_process() { cat "$1/run/init.hostpid" 2>/dev/null || true; } # FOLDER: process 1 of the node, as the host counts
node_lives() { ours "$(node_process "$1")" "node-init.sh $1"; }   # FOLDER
# in_node FOLDER CMD...: with the node's mounts, processes, network
in_node() { nsenter -t "$(node_process "$1")" -m -p -n -u -i -- "${@:2}"; }
