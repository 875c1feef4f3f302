#!/usr/bin/env bash
# Starts a Kubernetes cluster of one node on this machine, or joins another node to it. Twice is as once. As root.
#   up.sh [STATE]               STATE: build/cluster/state
#   up.sh --join NAME [STATE]
# Prints how long each step took. Every process of a node lives in network, mount, process, host-name and IPC namespaces and a
# cgroup of the node's own. Settings: NODE (pilotlight), PORT (6443); with both another cluster runs beside the first.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
# shellcheck source=settings.sh
. "$HERE/settings.sh"
# shellcheck source=pki.sh
. "$HERE/pki.sh"
# shellcheck source=configuration.sh
. "$HERE/configuration.sh"

began=$(now_ms)
deadline=120 # seconds for a step, on a busy machine
took() { echo "$1: $(($(now_ms) - began)) ms"; }
kubectl() { "$KUBE/kubectl" --kubeconfig "$STATE/admin.kubeconfig" "$@"; }

# ---------------------------------------------------------------- the cluster

cluster_keys() {
  (umask 077 && mkdir -p "$PKI")
  ca ca
  ca front-ca
  cert etcd ca /CN=etcd serverAuth,clientAuth DNS:localhost,IP:127.0.0.1
  cert etcd-client ca /CN=kube-apiserver-etcd-client clientAuth
  cert apiserver ca /CN=kube-apiserver serverAuth \
    "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:$API_ADDRESS,IP:$SERVICE_API"
  cert kubelet-client ca /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
  cert front-proxy-client front-ca /CN=front-proxy-client clientAuth
  cert admin ca /O=system:masters/CN=admin clientAuth
  local part
  for part in kube-controller-manager kube-scheduler kube-proxy; do cert $part ca "/CN=system:$part" clientAuth; done
  service_account_keys
  kubeconfig "$STATE/admin.kubeconfig" "https://127.0.0.1:$PORT" "$(by_certificate admin)"
}

api_on_host() { # node's unix socket on the host's 127.0.0.1; relative, because a socket's path has 107 characters at most
  (cd "$1/run" && exec setsid socat TCP-LISTEN:"$PORT",bind=127.0.0.1,fork,reuseaddr UNIX-CONNECT:api.sock) \
    </dev/null >>"$1/log/host-port.log" 2>&1 &
  echo $! >"$1/run/host-port.hostpid"
}

dns() {
  sed "s/@SERVICE_DNS@/$SERVICE_DNS/" "$HERE/dns/coredns.yaml" | kubectl apply -f - >/dev/null
  kubectl -n kube-system rollout status deploy/coredns --timeout="${deadline}s" >/dev/null
}

# ---------------------------------------------------------------- a node

node_files() { # FOLDER NAME INDEX
  local folder=$1 name=$2 index=$3 conf=$1/conf part
  mkdir -p "$folder"/{run,log,conf/cni,etcd,containerd,kubelet,var-log,var-lib/upper,var-lib/work}
  echo "$index" >"$folder/index"
  cert "$name-server" ca "/O=system:nodes/CN=system:node:$name" serverAuth "DNS:$name,IP:$(node_address "$index"),IP:127.0.0.1"
  cert "$name-kubelet" ca "/O=system:nodes/CN=system:node:$name" clientAuth
  kubeconfig "$conf/kubelet.kubeconfig" "https://$API_ADDRESS:$PORT" "$(by_certificate "$name-kubelet")"
  for part in kube-controller-manager kube-scheduler kube-proxy; do
    kubeconfig "$conf/$part.kubeconfig" "https://$API_ADDRESS:$PORT" "$(by_certificate $part)"
  done
  : >"$conf/resolv.conf"
  containerd_configuration "$folder" >"$conf/containerd.toml"
  cni_configuration "$name" "$(node_pods "$index")" >"$conf/cni/10-bridge.conflist"
  kubelet_configuration "$folder" "$name" >"$conf/kubelet.yaml"
  kube_proxy_configuration "$folder" "$name" >"$conf/kube-proxy.yaml"
}

# The first node has a bridge with its address; every other node's namespace hangs on that by a pair of links. None leads out.
node_network() { # NAME INDEX
  local name=$1 index=$2
  ip netns add "$name"
  if ((index == 1)); then
    ip -n "$name" link add pl0 type bridge
  else
    ip -n "$NODE" link add "pl$index" type veth peer name pl0 netns "$name"
    ip -n "$NODE" link set "pl$index" master pl0 up
  fi
  ip -n "$name" addr add "$(node_address "$index")/$NODES_CIDR_BITS" dev pl0
  ip -n "$name" link set pl0 up
  ip -n "$name" route add "$SERVICES_CIDR" dev pl0 # without a route kube-proxy's rules never see a service's address
  ip -n "$name" route add unreachable default
}

routes_to_others() { # NAME INDEX: pods' addresses, both ways
  local other index
  for other in $(node_folders); do
    [[ ${other##*/} != "$1" ]] || continue
    index=$(<"$other/index")
    ip -n "${other##*/}" route replace "$(node_pods "$2")" via "$(node_address "$2")"
    ip -n "$1" route replace "$(node_pods "$index")" via "$(node_address "$index")"
  done
}

node_cgroups() { # NAME
  local hierarchy group
  for hierarchy in "${CGROUPS[@]}"; do
    for group in "/sys/fs/cgroup/$hierarchy/$1" "/sys/fs/cgroup/$hierarchy/$1/system"; do
      mkdir -p "$group"
      if [[ $hierarchy == cpuset ]]; then # these start empty, and take no process then
        cat /sys/fs/cgroup/cpuset/cpuset.cpus >"$group/cpuset.cpus"
        cat /sys/fs/cgroup/cpuset/cpuset.mems >"$group/cpuset.mems"
      fi
    done
  done
}

node_start() { # FOLDER NAME
  local folder=$1 name=$2 hierarchy
  (
    for hierarchy in "${CGROUPS[@]}"; do echo "$BASHPID" >"/sys/fs/cgroup/$hierarchy/$name/system/cgroup.procs"; done
    # Not `ip netns exec`: that gives each call mounts of its own, and containerd would not see the kubelet's.
    exec setsid nsenter --net="/run/netns/$name" unshare --mount --pid --uts --ipc --fork --kill-child --mount-proc \
      env KUBE="$KUBE" DNS="$DNS" IMAGES="$IMAGES" PORT="$PORT" "$HERE/node-init.sh" "$folder"
  ) </dev/null >>"$folder/log/init.log" 2>&1 &
  echo $! >"$folder/run/outer.hostpid"
  within 5 node_started "$folder" || die "the first process of $name did not start: see $folder/log/init.log"
}

node_started() { # FOLDER: unshare has started the node's first process
  local outer
  outer=$(<"$1/run/outer.hostpid")
  cut -d' ' -f1 "/proc/$outer/task/$outer/children" >"$1/run/init.hostpid" 2>/dev/null && node_lives "$1"
}

# await FOLDER WHAT CMD...: until CMD succeeds, while the node lives
await() {
  local folder=$1 what=$2 end=$((SECONDS + deadline))
  shift 2
  until "$@" >/dev/null 2>&1; do
    node_lives "$folder" || die "${folder##*/} ended before $what: see $folder/log"
    ((SECONDS < end)) || die "no $what within $deadline s: see $folder/log"
    sleep 0.1
  done
  took "$what"
}

node_up() { # NAME INDEX
  local folder=$STATE/nodes/$1
  node_files "$folder" "$1" "$2"
  node_cgroups "$1"
  node_network "$1" "$2"
  routes_to_others "$1" "$2"
  node_start "$folder" "$1"
  if (($2 == 1)); then api_on_host "$folder"; fi
  await "$folder" "API ready" kubectl get --raw /readyz
  await "$folder" "node $1 Ready" kubectl wait --for=condition=Ready "node/$1" --timeout=5s
}

free_index() {
  local index folder taken
  for ((index = 2; index <= MAX_NODES; index++)); do
    taken=
    for folder in $(node_folders); do [[ $(<"$folder/index") != "$index" ]] || taken=1; done
    [[ -n $taken ]] || { echo "$index"; return; }
  done
  die "$MAX_NODES nodes at most"
}

# ---------------------------------------------------------------- the commands

valid_name() { # of a host, a namespace, a cgroup
  [[ $1 =~ ^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$ ]] || die "'$1' is no name for a node: up to 50 of a-z, 0-9 and -"
}

node_is_up() { [[ -e $1/run/up ]] && node_lives "$1"; } # FOLDER: an up.sh came to its end

up() {
  local folder=$STATE/nodes/$NODE
  if node_is_up "$folder"; then
    await "$folder" "node $NODE Ready" kubectl wait --for=condition=Ready "node/$NODE" --timeout=5s
  else
    valid_name "$NODE"
    [[ ! -e $STATE/env ]] || "$HERE/down.sh" "$STATE" # what is left of one that was killed
    [[ -z $(ss -Hltn "sport = :$PORT") ]] || die "port $PORT is taken: set PORT"
    ! ip netns list | grep -qw "$NODE" || die "there is a network namespace $NODE: set NODE, or down.sh the state it belongs to"
    mkdir -p "$STATE/nodes"
    printf 'NODE=%s PORT=%s\n' "$NODE" "$PORT" >"$STATE/env"
    save_machine
    cluster_keys
    node_up "$NODE" 1
    dns
    took "DNS ready"
    touch "$folder/run/up"
  fi
  echo "export KUBECONFIG=$STATE/admin.kubeconfig"
}

join() { # NAME
  local folder=$STATE/nodes/$1
  node_is_up "$STATE/nodes/$NODE" || die "no cluster: up.sh $STATE first"
  valid_name "$1"
  if node_is_up "$folder"; then
    await "$folder" "node $1 Ready" kubectl wait --for=condition=Ready "node/$1" --timeout=5s
  else
    [[ ! -e $folder ]] || "$HERE/down.sh" --node "$1" "$STATE"
    ! ip netns list | grep -qw "$1" || die "there is a network namespace $1"
    node_up "$1" "$(free_index)"
    touch "$folder/run/up"
  fi
}

join=
if [[ ${1:-} == --join ]]; then
  join=${2:?NAME}
  shift 2
fi
[[ ${1:-} != -* ]] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 2; }
STATE=$(realpath -m "${1:-$ROOT/build/cluster/state}") PKI=$(realpath -m "${1:-$ROOT/build/cluster/state}")/pki
# shellcheck disable=SC1091  # written by `up`
[[ ! -e $STATE/env ]] || . "$STATE/env"

((EUID == 0)) || die "needs root"
need containerd runc containerd-shim-runc-v2 nft iptables socat ip ss nsenter unshare openssl curl "$CNI_BIN/bridge"
[[ -d /sys/fs/cgroup/memory ]] || die "knows the layout of cgroup v1 only, and this machine has another"
KUBE=$("$HERE/build.sh" kubernetes) DNS=$("$HERE/build.sh" dns) IMAGES=$("$HERE/build.sh" images)
if [[ -n $join ]]; then join "$join"; else up; fi
