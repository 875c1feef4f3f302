#!/usr/bin/env bash
# Builds the two images with whichever of docker and buildah is there. IMAGE_TAG names them (default: latest).
set -euo pipefail
cd "$(dirname "$0")/.."
tag=${IMAGE_TAG:-latest}
if command -v docker >/dev/null; then
  build=(docker build)
elif command -v buildah >/dev/null; then
  build=(buildah build --layers)
else
  echo "image.sh: needs docker or buildah" >&2
  exit 1
fi
"${build[@]}" --target pilotlight -t "pilotlight/pilotlight:$tag" .
"${build[@]}" --target shim -t "pilotlight/shim:$tag" .
