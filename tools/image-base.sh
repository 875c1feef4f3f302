#!/usr/bin/env bash
# Puts docker.io/library/debian:12-slim into buildah's store, made of Debian's packages: for a machine that reaches a mirror of
# Debian but no image registry. As root. MIRROR names another mirror.
# Elsewhere nothing of this is needed: the registry's image of that name is the same base.
set -euo pipefail
export STORAGE_DRIVER=${STORAGE_DRIVER:-overlay} # as tools/image.sh
image=docker.io/library/debian:12-slim
mirror=${MIRROR:-http://deb.debian.org/debian}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if buildah inspect --type image "$image" >/dev/null 2>&1; then exit 0; fi
if command -v mmdebstrap >/dev/null; then
  mmdebstrap --quiet --variant=minbase bookworm "$work/root" "$mirror"
else
  debootstrap --variant=minbase bookworm "$work/root" "$mirror" >"$work/log" || { tail "$work/log" >&2; exit 1; }
fi
rm -rf "$work"/root/usr/share/{doc,info,man,locale} "$work"/root/dev/* # as in the registry's image
container=$(buildah from scratch)
buildah copy --quiet "$container" "$work/root" / >/dev/null
buildah config --cmd bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
buildah commit --quiet --rm "$container" "$image" >/dev/null
echo "$image: made of the packages of $mirror"
