#!/usr/bin/env bash
# clang-tidy over our own sources: tidy.sh BUILD_DIR JOBS. Needs a finished build (precompiled headers are read).
set -euo pipefail
build=$1 jobs=$2
root=$(cd "$(dirname "$0")/.." && pwd)
run-clang-tidy-19 -clang-tidy-binary clang-tidy-19 -quiet -p "$build" -j "$jobs" \
  "^$root/(lib|operator|gateway|runtime-shim|cli|tools|tests/support)/.*\.cc\$" 2>&1 | { grep -v -E '^(\[ *[0-9]+/[0-9]+\]|[0-9]+ warnings? (generated|treated)|Suppressed |Use -header-filter)' || true; }
