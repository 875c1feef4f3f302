#!/usr/bin/env bash
# Runs operator and gateway as processes against a real API server of their own, with the test as the kubelet: see programs/.
#   tests/cluster/programs_test.sh [-b BIN] [UNITTEST-ARG...]      BIN: the programs' folder, build/release/bin
# A part: programs_test.sh ColdStart. What was measured goes to standard output; the last line says what passed.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
root=$(realpath "$here/../..")
bin=$root/build/release/bin
if [[ ${1:-} == -b ]]; then
  bin=$(realpath "$2")
  shift 2
fi
for program in pilotlight-gateway pilotlight-operator pilotlight-shim; do
  [[ -x $bin/$program ]] || { echo "no $bin/$program: make programs" >&2; exit 1; }
done

state=$(mktemp -d)/api
trap '"$here/api.sh" down "$state" >/dev/null; rm -rf "$(dirname "$state")"' EXIT
KUBECONFIG=$("$here/api.sh" up --parent $$ "$state")
export KUBECONFIG
KUBECTL=$("$here/build.sh" kubernetes)/kubectl
export KUBECTL
"$KUBECTL" apply --server-side -f "$root/crds/" >&2
"$KUBECTL" wait --for=condition=Established --timeout=60s crd --all >&2
"$KUBECTL" create namespace pilotlight-system >&2

cd "$here/programs"
PILOTLIGHT_BIN=$bin PILOTLIGHT_STATE=$state PYTHONDONTWRITEBYTECODE=1 python3 -W error::ResourceWarning run.py "$@"
