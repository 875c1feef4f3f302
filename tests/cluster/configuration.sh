# Configuration files of a node's parts, each to standard output. Sourced, never run.
# shellcheck shell=bash

containerd_configuration() { # FOLDER
  cat <<EOT
version = 2
root = "$1/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$1/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "pilotlight.test/pause:1"
  disable_apparmor = true
  # A root without CAP_SYS_RESOURCE may not lower oom_score_adj, and pause asks for -998.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$CNI_BIN"
    conf_dir = "$1/conf/cni"
EOT
}

cni_configuration() { # NAME PODS-CIDR
  cat <<EOT
{"cniVersion": "0.4.0", "name": "$1", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "/var/lib/cni/networks", "ranges": [[{"subnet": "$2"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
EOT
}

kubelet_configuration() { # FOLDER NAME
  cat <<EOT
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $PKI/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $PKI/$2-server.crt
tlsPrivateKeyFile: $PKI/$2-server.key
cgroupDriver: cgroupfs
cgroupRoot: /$2
failCgroupV1: false
failSwapOn: false
clusterDNS: [$SERVICE_DNS]
clusterDomain: cluster.local
resolvConf: $1/conf/resolv.conf
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
volumePluginDir: /var/lib/kubelet/volumeplugins
# Changed Secrets reach pods within this and the kubelet's cache; a minute is usual.
syncFrequency: 5s
nodeStatusUpdateFrequency: 5s
serializeImagePulls: false
kubeAPIQPS: 100
kubeAPIBurst: 200
# The disk is the machine's, and its other users' affair.
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%"}
EOT
}

kube_proxy_configuration() { # FOLDER NAME
  cat <<EOT
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $1/conf/kube-proxy.kubeconfig}
hostnameOverride: $2
mode: nftables
clusterCIDR: $PODS_CIDR
metricsBindAddress: 127.0.0.1:10249
healthzBindAddress: 127.0.0.1:10256
# These limits are the whole machine's.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
nftables: {minSyncPeriod: 10ms}
EOT
}
