#!/bin/sh
# Lays out the root folders of the two images: image-roots.sh BIN_DIR OUT_DIR. Each holds programs, the shared libraries and
# the loader that ldd names, CA certificates and the users' names; nothing else.
set -eu
bin=$1 out=$2

copy_libraries() {  # program, root
  ldd "$1" | grep -o '/[^ ]*' | sort -u | while read -r library; do
    mkdir -p "$2$(dirname "$library")"
    cp -L "$library" "$2$library"
  done
}

users() {  # root
  mkdir -p "$1/etc"
  printf 'root:x:0:0:root:/:/nologin\nnonroot:x:65532:65532:nonroot:/:/nologin\n' >"$1/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$1/etc/group"
}

mkdir -p "$out/pilotlight/usr/bin" "$out/pilotlight/etc/ssl/certs" "$out/shim"
for program in pilotlight pilotlight-shim pilotlight-native-host; do
  cp "$bin/$program" "$out/pilotlight/usr/bin/"
done
cp /etc/ssl/certs/ca-certificates.crt "$out/pilotlight/etc/ssl/certs/"
copy_libraries "$bin/pilotlight" "$out/pilotlight"
copy_libraries "$bin/pilotlight-native-host" "$out/pilotlight"
users "$out/pilotlight"

cp "$bin/pilotlight-shim" "$bin/pilotlight-native-host" "$out/shim/"
users "$out/shim"
