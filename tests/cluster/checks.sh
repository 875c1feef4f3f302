# Counts checks, tells how each went. Sourced, never run.
# shellcheck shell=bash

passed=0 failed=0
check() { # NAME CMD...
  local name=$1 output start
  shift
  start=$(now_ms)
  if output=$("$@" 2>&1); then
    passed=$((passed + 1))
    echo "ok   $name ($(($(now_ms) - start)) ms)"
  else
    failed=$((failed + 1))
    printf 'FAIL %s\n%s\n' "$name" "$output"
  fi
}
not() { # CMD...: fails, and does not merely crash
  local output
  if output=$("$@" 2>&1); then
    echo "succeeded: $output"
    return 1
  fi
}
says() { # TEXT CMD...
  local text=$1 output
  shift
  output=$("$@" 2>&1) || { echo "$output"; return 1; }
  grep -q -- "$text" <<<"$output" || { echo "no '$text' in: $output"; return 1; }
}
refused() { # TEXT CMD...: fails, and says why
  local text=$1 output
  shift
  if output=$("$@" 2>&1); then
    echo "was accepted: $output"
    return 1
  fi
  grep -q -- "$text" <<<"$output" || { echo "no '$text' in: $output"; return 1; }
}
quietly() { "$@" >/dev/null 2>&1; }
soon() { within 60 quietly "$@" || "$@"; } # CMD...: within a minute; the last try tells what is wrong

summary() { # the closing line; fails when a check did
  echo "$passed passed, $failed failed"
  ((failed == 0))
}
