#!/usr/bin/env bash
# Runs every fuzz target: fuzz.sh BIN_DIR SECONDS. New inputs go to build/corpus/, the seeds in tests/fuzz/corpus stay as they are.
# An input that breaks a target is kept as build/fuzz-TARGET-crash-…, and ends the run.
set -euo pipefail
bin=$1 seconds=$2
root=$(cd "$(dirname "$0")/.." && pwd)
shopt -s nullglob
targets=("$bin"/*_fuzz)
((${#targets[@]})) || { echo "fuzz.sh: no targets in $bin" >&2; exit 1; }
for target in "${targets[@]}"; do
  name=$(basename "$target")
  found=$root/build/corpus/$name seeds=$root/tests/fuzz/corpus/$name words=$root/tests/fuzz/${name%%_*}.dict
  mkdir -p "$found"
  options=(-max_total_time="$seconds" -timeout=10 -max_len=4096 -print_final_stats=1 -verbosity=0
           -artifact_prefix="$root/build/fuzz-$name-")
  [[ -f $words ]] && options+=(-dict="$words")
  folders=("$found")
  [[ -d $seeds ]] && folders+=("$seeds")
  echo "== $name for ${seconds}s"
  "$target" "${options[@]}" "${folders[@]}" 2>&1 | grep -v '# Uses:'
done
