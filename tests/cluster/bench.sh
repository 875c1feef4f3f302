#!/usr/bin/env bash
# Measures Pilotlight on a cluster of its own, beside plain Deployments: bench/bench.py. The cluster goes afterwards.
#   bench.sh [-b BIN_DIR] [BENCH-ARG...]      bench.sh --runs 5 cold: a part, with fewer runs
set -euo pipefail
export NODE=${NODE:-pilotlight-bench} PORT=${PORT:-6453}
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
bin=$ROOT/build/release/bin
if [[ ${1:-} == -b ]]; then
  bin=$(realpath "${2:?}")
  shift 2
fi
state=$ROOT/build/cluster/bench
trap '"$HERE/down.sh" "$state"' EXIT
"$HERE/up.sh" "$state"
"$HERE/install.sh" -b "$bin" "$state" --set gateway.replicas=1
PYTHONDONTWRITEBYTECODE=1 "$HERE/node.sh" "$state" "$NODE" network python3 "$HERE/bench/bench.py" \
  --kubeconfig "$state/admin.kubeconfig" --node "$NODE" "$@"
