# Functions that can't run: requests fail within queue.wait, status and events say why, and what is mended heals.
# shellcheck shell=bash disable=SC2154

crash='import sys; print("no database", file=sys.stderr); sys.exit(3)'
short_wait='concurrency: {queue: {wait: 3s}}, scale: {initial: 0, toZeroAfter: 10m}'

progress() { kubectl get function "$1" -o jsonpath='{.status.conditions[?(@.type=="Progressing")].message}'; }
tells() { # TEXT NAME: in status and by an event
  eventually says "$1" progress "$2" && eventually says "Warning.*$1" kubectl describe function "$2"
}

broken() {
  check "an image that is nowhere" make_function nowhere "image: pilotlight.test/nowhere:1, handler: [x], $short_wait"
  check "a handler that crashes" make_function crash "image: docker.io/pilotlight/base-python:0.1.0, handler: [python3, -c, '$crash'], $shim_inside, $short_wait"
  check "a handler that never listens" make_function deaf "image: docker.io/pilotlight/base-python:0.1.0, handler: [python3, -c, 'import time; time.sleep(1000)'], $shim_inside, $short_wait"
  check "a Secret that is not there" make_function secretless "image: docker.io/example/py-echo:1, handler: [python3, server.py], $shim_inside, secrets: [{name: absent, env: true}], $short_wait"
  local name
  for name in nowhere crash deaf secretless; do check "$name: a request is told why within queue.wait" eventually says '^50[24]$' status_of "$name" / --max-time 30; done
  check "status and an event name the image" tells 'pilotlight.test/nowhere:1' nowhere
  check "they have the exit code and the last words" tells 'exit code 3: no database' crash
  check "they name the Secret" tells 'absent' secretless
  check "an update that works heals crash" make_function crash "image: docker.io/example/py-echo:1, handler: [python3, server.py], $shim_inside, $short_wait"
  check "it answers" eventually says '{"a": 2}' ask crash / -d '{"a":2}'
  check "the Secret is made" kubectl create secret generic absent --from-literal=A=b
  check "that heals secretless" eventually says '{"a": 2}' ask secretless / -d '{"a":2}'
}
