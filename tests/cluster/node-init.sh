#!/usr/bin/env bash
# Process 1 of a node's namespaces: prepares its mounts, starts its parts and starts again what ends. up.sh starts it.
#   node-init.sh FOLDER
# When it ends, the kernel ends every process of the node, and the mounts go with the last one.
set -uo pipefail # without -e once it runs: process 1 must not end because a command failed
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
# shellcheck source=settings.sh
. "$HERE/settings.sh"

FOLDER=$1
STATE=${FOLDER%/nodes/*} PKI=${FOLDER%/nodes/*}/pki LOG=$FOLDER/log RUN=$FOLDER/run
NAME=${FOLDER##*/} INDEX=$(<"$FOLDER/index")

mounts() {
  mount -n -t tmpfs -o mode=755 tmpfs /run # first, and -n: mount would leave a folder in the host's
  mkdir -p /run/lock
  # The /sys of this network namespace, with the host's cgroups under it.
  mkdir -p "$FOLDER/cgroups"
  mount --rbind /sys/fs/cgroup "$FOLDER/cgroups"
  mount -t sysfs sysfs /sys
  mount --rbind "$FOLDER/cgroups" /sys/fs/cgroup
  umount -R "$FOLDER/cgroups"
  # The kubelet's mounts must reach the containers. All of it is this node's copy: nothing reaches the host.
  mount --make-rshared /
  mount --bind "$FOLDER/var-log" /var/log
  # Kubelet and CNI have fixed paths in /var/lib, which must not appear on the host.
  mount -t overlay overlay -o "lowerdir=/var/lib,upperdir=$FOLDER/var-lib/upper,workdir=$FOLDER/var-lib/work" /var/lib
  mkdir -p /var/lib/kubelet /var/lib/cni
  mount --bind "$FOLDER/kubelet" /var/lib/kubelet
}

note() { echo "$(date -u +%FT%T.%3NZ) $*" >>"$LOG/init.log"; }

supervise() { # PART CMD...: starts it, and again when it ends, unless somebody holds it
  local part=$1 status
  shift
  while [[ ! -e $RUN/stop ]]; do
    if [[ -e $RUN/$part.hold ]]; then
      sleep 0.1
      continue
    fi
    note "start $part"
    "$@" >>"$LOG/$part.log" 2>&1 &
    echo $! >"$RUN/$part.pid"
    status=0
    wait $! || status=$?
    rm -f "$RUN/$part.pid"
    note "end $part, status $status"
    sleep 0.5
  done
}

etcd() {
  supervise etcd "$KUBE/etcd" --name="$NAME" --data-dir="$FOLDER/etcd" --unsafe-no-fsync --logger=zap --log-level=warn \
    --listen-client-urls=https://127.0.0.1:2379 --advertise-client-urls=https://127.0.0.1:2379 \
    --listen-peer-urls=http://127.0.0.1:2380 --initial-advertise-peer-urls=http://127.0.0.1:2380 \
    --initial-cluster="$NAME=http://127.0.0.1:2380" --listen-metrics-urls= \
    --client-cert-auth --trusted-ca-file="$PKI/ca.crt" --cert-file="$PKI/etcd.crt" --key-file="$PKI/etcd.key"
}

api_server() {
  supervise kube-apiserver "$KUBE/kube-apiserver" --advertise-address="$API_ADDRESS" --bind-address=0.0.0.0 --secure-port="$PORT" \
    --etcd-servers=https://127.0.0.1:2379 --etcd-cafile="$PKI/ca.crt" \
    --etcd-certfile="$PKI/etcd-client.crt" --etcd-keyfile="$PKI/etcd-client.key" \
    --client-ca-file="$PKI/ca.crt" --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" \
    --kubelet-certificate-authority="$PKI/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --kubelet-client-certificate="$PKI/kubelet-client.crt" --kubelet-client-key="$PKI/kubelet-client.key" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$PKI/sa.pub" --service-account-signing-key-file="$PKI/sa.key" \
    --requestheader-client-ca-file="$PKI/front-ca.crt" --requestheader-allowed-names=front-proxy-client \
    --requestheader-extra-headers-prefix=X-Remote-Extra- --requestheader-group-headers=X-Remote-Group \
    --requestheader-username-headers=X-Remote-User \
    --proxy-client-cert-file="$PKI/front-proxy-client.crt" --proxy-client-key-file="$PKI/front-proxy-client.key" \
    --service-cluster-ip-range="$SERVICES_CIDR" --authorization-mode=Node,RBAC \
    --enable-admission-plugins=NodeRestriction --allow-privileged=true --shutdown-delay-duration=0s
}

# The way in from the host. Relative, because a socket's path has 107 characters at most.
api_socket() {
  cd "$RUN" || return
  supervise api-socket socat UNIX-LISTEN:api.sock,fork,mode=600,unlink-early TCP:127.0.0.1:"$PORT"
}

controller_manager() {
  local kubeconfig=$FOLDER/conf/kube-controller-manager.kubeconfig
  supervise kube-controller-manager "$KUBE/kube-controller-manager" --kubeconfig="$kubeconfig" \
    --authentication-kubeconfig="$kubeconfig" --authorization-kubeconfig="$kubeconfig" \
    --bind-address=127.0.0.1 --leader-elect=false --use-service-account-credentials \
    --root-ca-file="$PKI/ca.crt" --service-account-private-key-file="$PKI/sa.key" \
    --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key" \
    --horizontal-pod-autoscaler-sync-period=5s --kube-api-qps=100 --kube-api-burst=200
}

scheduler() {
  local kubeconfig=$FOLDER/conf/kube-scheduler.kubeconfig
  supervise kube-scheduler "$KUBE/kube-scheduler" --kubeconfig="$kubeconfig" \
    --authentication-kubeconfig="$kubeconfig" --authorization-kubeconfig="$kubeconfig" \
    --bind-address=127.0.0.1 --leader-elect=false --kube-api-qps=100 --kube-api-burst=200
}

load_images() { # in the background: the kubelet's first pod must find its images
  within 30 test -S /run/containerd/containerd.sock
  local archive
  shopt -s nullglob # of the last there may be none
  for archive in "$IMAGES"/*.tar "$DNS"/*.tar "$STATE"/images/*.tar; do
    ctr -n k8s.io images import "$archive" >>"$LOG/images.log" 2>&1
  done
  touch "$RUN/images.done"
}

kubelet() {
  until [[ -e $RUN/images.done ]]; do sleep 0.05; done
  supervise kubelet "$KUBE/kubelet" --config="$FOLDER/conf/kubelet.yaml" --kubeconfig="$FOLDER/conf/kubelet.kubeconfig" \
    --hostname-override="$NAME" --node-ip="$(node_address "$INDEX")" --root-dir=/var/lib/kubelet --v=2
}

api_ready() { curl -sf --cacert "$PKI/ca.crt" --cert "$PKI/admin.crt" --key "$PKI/admin.key" "https://$API_ADDRESS:$PORT/readyz" >/dev/null; }

start_parts() {
  supervise containerd containerd --config "$FOLDER/conf/containerd.toml" &
  load_images &
  if ((INDEX == 1)); then
    etcd &
    api_server &
    api_socket &
  fi
  until api_ready; do sleep 0.1; done
  note "API ready"
  if ((INDEX == 1)); then
    controller_manager &
    scheduler &
  fi
  supervise kube-proxy "$KUBE/kube-proxy" --config="$FOLDER/conf/kube-proxy.yaml" &
  kubelet &
  wait
}

signal() { kill -"$1" "$(cat "$RUN/$2.pid" 2>/dev/null)" 2>/dev/null; } # SIGNAL PART
ended() { ! kill -0 "$(cat "$RUN/$1.pid" 2>/dev/null)" 2>/dev/null; }

stop() {
  local part
  touch "$RUN/stop"
  # The kubelet first: it shall not see the others go.
  for part in kubelet kube-proxy kube-scheduler kube-controller-manager kube-apiserver containerd; do signal TERM $part; done
  within 1 ended kube-apiserver || signal KILL kube-apiserver # it would wait for the watches of those that are left
  signal TERM etcd
  within 2 ended etcd
  exit 0
}

trap stop TERM INT
set -e
mounts
hostname "$NAME"
ip link set lo up
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.bridge.bridge-nf-call-iptables=1
set +e
start_parts &
# Process 1 also reaps what its descendants leave behind; `wait` does that, and a signal interrupts it.
while :; do
  wait
  sleep 1
done
