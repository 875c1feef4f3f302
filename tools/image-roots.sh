#!/usr/bin/env bash
# Lays out the root folders of the images, one folder each, from programs built on Debian 12 and that system's own libraries:
#   image-roots.sh BIN_DIR OUT_DIR [IMAGE...]     default: all
# A root holds programs, the shared libraries and the loader that ldd names, CA certificates and the users' names; no shell.
set -euo pipefail
bin=$1 out=$2

copy_libraries() { # ROOT PROGRAM...
  local root=$1 libraries library
  shift
  libraries=$(ldd "$@")
  if grep 'not found' <<<"$libraries" >&2; then exit 1; fi
  grep -o '/[^ :]* (0x' <<<"$libraries" | cut -d' ' -f1 | sort -u | while read -r library; do
    install -D -m 755 "$library" "$root$library"
  done
}

# What programs beside ours expect of a system: who they are, and whom to trust.
system_files() { # ROOT
  mkdir -p "$1/etc/ssl/certs"
  printf 'root:x:0:0:root:/:/nologin\nnonroot:x:65532:65532:nonroot:/:/nologin\n' >"$1/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$1/etc/group"
  printf 'hosts: files dns\n' >"$1/etc/nsswitch.conf"
  cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
}

program_root() { # NAME PROGRAM...
  local root=$out/$1 program
  shift
  system_files "$root"
  for program; do
    install -D "$bin/$program" "$root/usr/bin/$program"
    copy_libraries "$root" "$bin/$program"
  done
}

shim() { # FOLDER
  mkdir -p "$1"
  cp "$bin/pilotlight-shim" "$bin/pilotlight-native-host" "$1/"
}

# The native host runs with the function image's own C library and loader: the shim's image has none.
shim_root() {
  shim "$out/shim"
  mkdir -p "$out/shim/etc"
  printf 'nonroot:x:65532:65532:nonroot:/:/nologin\n' >"$out/shim/etc/passwd"
}

base_root() { # NAME
  local root=$out/$1
  system_files "$root"
  shim "$root/pilotlight"
  mkdir -p "$root/function" # the images' working folder
  copy_libraries "$root" "$bin/pilotlight-native-host"
  # Nothing of ours there loads the C++ library, but a user's handler may.
  local cxx
  cxx=$(ldconfig -p | grep -o '/[^ ]*/libstdc++\.so\.6$' | sed -n 1p) # whoever stopped reading would now and then end ldconfig, and us
  install -D -m 755 "$cxx" "$root$cxx"
  copy_libraries "$root" "$cxx"
}

# Debian's packages of Python, without their documents. Compiled ahead: the root is read-only, so Python could not keep what it
# compiles and would do it at every start.
python_root() { # NAME
  local root=$out/$1 version package
  version=$(python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
  for package in "$version-minimal" "lib$version-minimal" "lib$version-stdlib"; do
    dpkg -L "$package" | grep -E "^/(usr/bin/|usr/lib/$version/|etc/$version/)" | while read -r file; do
      [[ -d $file && ! -L $file ]] || { mkdir -p "$root${file%/*}" && cp -P "$file" "$root$file"; }
    done
  done
  ln -s "$version" "$root/usr/bin/python3"
  copy_libraries "$root" "/usr/bin/$version" "$root/usr/lib/$version"/lib-dynload/*.so
  rm -rf "$root/usr/lib/$version"/{ensurepip,idlelib,lib2to3,pydoc_data,turtledemo}
  "$version" -m compileall -q --invalidation-mode unchecked-hash -s "$root" "$root/usr/lib/$version"
}

root_of() { # IMAGE
  case $1 in
    operator | gateway) program_root "$1" "pilotlight-$1" ;;
    pilotlight)
      program_root pilotlight pilotlight pilotlight-native-host
      cp "$bin/pilotlight-shim" "$out/pilotlight/usr/bin/" ;; # static: loads nothing
    shim) shim_root ;;
    base-cpp) base_root base-cpp ;;
    base-python)
      base_root base-python
      python_root base-python ;;
    *) echo "image-roots.sh: unknown image '$1'" >&2; exit 1 ;;
  esac
}

shift 2
(($#)) || set -- operator gateway pilotlight shim base-cpp base-python
rm -rf "${out:?}"
mkdir -p "$out"
for image; do root_of "$image"; done
