#!/usr/bin/env bash
# Runs every fuzz target: fuzz.sh BIN_DIR SECONDS. New inputs go to build/corpus/, the seeds in tests/fuzz/corpus stay as they are.
set -euo pipefail
bin=$1 seconds=$2
root=$(cd "$(dirname "$0")/.." && pwd)
shopt -s nullglob
targets=("$bin"/fuzz_* "$bin"/*_fuzz)
((${#targets[@]})) || { echo "fuzz.sh: no targets in $bin" >&2; exit 1; }
for target in "${targets[@]}"; do
  name=$(basename "$target")
  found=$root/build/corpus/$name
  seeds=("$root/tests/fuzz/corpus/$name" "$root/tests/fuzz/corpus/${name#fuzz_}")
  mkdir -p "$found"
  folders=("$found")
  for seed in "${seeds[@]}"; do [[ -d $seed ]] && folders+=("$seed"); done
  echo "== $name for ${seconds}s"
  "$target" -max_total_time="$seconds" -print_final_stats=1 -verbosity=0 -artifact_prefix="$root/build/fuzz-$name-" "${folders[@]}"
done
