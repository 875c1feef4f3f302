#!/usr/bin/env bash
# The product on a real cluster, from nothing to nothing: starts a cluster of its own, builds and loads the images, installs the chart,
# runs the topics of e2e/, and takes all of it down, also when something fails or it is interrupted. As root.
#   e2e.sh [-b BIN_DIR] [--smoke | --faults | TOPIC...]      default: all topics; --smoke: some, for every change; --faults: those of faults/
#   e2e.sh --on STATE [-b BIN_DIR] [...]                     on a cluster that runs, with Pilotlight in it, and goes on running
# Settings: NODE (pilotlight-test), PORT (6444): not those of `make cluster-up`, which it leaves alone.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
export NODE=${NODE:-pilotlight-test} PORT=${PORT:-6444}
# shellcheck source=settings.sh
. "$HERE/settings.sh"
# shellcheck source=checks.sh
. "$HERE/checks.sh"
# shellcheck source=e2e/lib.sh
. "$HERE/e2e/lib.sh"
# shellcheck source=faults/lib.sh
. "$HERE/faults/lib.sh"
for file in "$HERE"/e2e/[0-9]*.sh "$HERE"/faults/[0-9]*.sh; do
  # shellcheck disable=SC1090  # one topic each
  . "$file"
done

STATE=$ROOT/build/cluster/$NODE
bin=$ROOT/build/release/bin
running=
while [[ ${1:-} == -b || ${1:-} == --on ]]; do
  case $1 in
    -b) bin=$(realpath "${2:?}") ;;
    --on) running=yes STATE=$(realpath "${2:?}") ;;
  esac
  shift 2
done
case ${1:-} in
  '') topics=("${all_topics[@]}") ;;
  --smoke) topics=("${smoke_topics[@]}") ;;
  --faults) topics=("${fault_topics[@]}") ;;
  *) topics=("$@") ;;
esac
for topic in "${topics[@]}"; do
  [[ " ${all_topics[*]} ${fault_topics[*]} " == *" $topic "* ]] || die "unknown topic '$topic'; allowed: ${all_topics[*]} ${fault_topics[*]}"
done
((EUID == 0)) || die "needs root: it starts a Kubernetes"

processes_left() { pgrep -af -- "$STATE/"; }
nothing_left() {
  not processes_left && not grep -F "$STATE/" /proc/mounts && not grep -w "$NODE" <(ip netns list) &&
    not compgen -G "/sys/fs/cgroup/*/$NODE" && not ls -d "$STATE"
}

end() {
  trap '' INT TERM
  [[ -n ${whole:-} ]] || echo "ended early, after $passed passed, $failed failed"
  stop_load
  [[ -z ${operator:-} ]] || kill_operator
  rm -rf "$work"
  [[ -n $running ]] || "$HERE/down.sh" "$STATE" >/dev/null
}

work=$(mktemp -d)
trap end EXIT
trap 'exit 130' INT TERM
if [[ -z $running ]]; then
  "$HERE/up.sh" "$STATE"
  "$HERE/install.sh" -b "$bin" "$STATE"
fi
# shellcheck disable=SC1091  # written by up.sh
. "$STATE/env"
use_cluster
for topic in "${topics[@]}"; do run_topic "$topic"; done
whole=yes
trap - EXIT
end
[[ -n $running ]] || check "nothing is left of the cluster" nothing_left
summary
