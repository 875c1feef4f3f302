#!/usr/bin/env bash
# Runs kube_api_test against a real API server of its own: starts it, installs crds/, runs the tests, ends everything.
#   tests/cluster/api_test.sh [KUBE_API_TEST] [GTEST-FLAG...]      KUBE_API_TEST: build/release/bin/kube_api_test
# What the program says goes to standard output; its last line is gtest's own.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
root=$(realpath "$here/../..")
program=${1:-$root/build/release/bin/kube_api_test}
(($# == 0)) || shift

state=$(mktemp -d)/api
trap '"$here/api.sh" down "$state" >/dev/null; rm -rf "$(dirname "$state")"' EXIT
export KUBECONFIG
KUBECONFIG=$("$here/api.sh" up --parent $$ "$state" -- --min-request-timeout=10)
kubectl=$("$here/build.sh" kubernetes)/kubectl
"$kubectl" apply --server-side -f "$root/crds/" >&2
"$kubectl" wait --for=condition=Established --timeout=60s crd --all >&2

PILOTLIGHT_API_STATE=$state PILOTLIGHT_API_SH=$here/api.sh "$program" "$@"
