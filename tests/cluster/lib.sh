# Settings and helpers that the scripts of this folder share. Sourced, never run.
# shellcheck shell=bash
# shellcheck disable=SC2034  # used by those that source it

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
# What build.sh made: outside the tree, so that it outlives a clone.
CACHE=${PILOTLIGHT_CACHE:-${HOME:-/root}/.cache/pilotlight}/cluster

die() { echo "${0##*/}: $*" >&2; exit 1; }
now_ms() { date +%s%3N; }
# ours PID TEXT: PID lives, and TEXT stands in its command line (a number may have gone to another process since)
ours() { [[ -n ${1:-} ]] && { tr '\0' ' ' <"/proc/$1/cmdline" | grep -qF -- "$2"; } 2>/dev/null; }
# need PROGRAM...: all are there
need() {
  local program
  for program; do
    command -v "$program" >/dev/null || die "no $program: run tools/deps.sh cluster"
  done
}
# within SECONDS CMD...: tries CMD every 50 ms until it succeeds
within() {
  local end=$(($(now_ms) + $1 * 1000))
  shift
  until "$@"; do
    (($(now_ms) < end)) || return 1
    sleep 0.05
  done
}
