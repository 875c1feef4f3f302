# Each runtime, with the shim in the image and copied into the pod, called from outside and from a pod.
# shellcheck shell=bash

python='image: docker.io/pilotlight/base-python:0.1.0'
upper='import sys; sys.stdout.write(sys.stdin.read().upper())'

init_containers() { pods_of "$1" -o jsonpath='{.items[*].spec.initContainers[*].name}'; } # NAME
answers() { # TEXT NAME [PATH [CURL-ARG...]]
  says "$1" ask "${@:2}"
}

invoke() {
  make_client
  check "native, the shim in the image" make_function native "$hello"
  check "native, the shim copied in" make_function native-copied "${hello%, pod:*}"
  check "http, the shim in the image" make_function http "image: docker.io/example/py-echo:1, handler: [python3, server.py], $shim_inside"
  check "http, a foreign image" make_function foreign "image: pilotlight.test/testapp:1, handler: [/testapp, serve]"
  check "exec, the shim in the image" make_function exec "$python, runtime: exec, handler: [python3, -c, '$upper'], $shim_inside"
  check "exec, a foreign image" make_function cat "image: pilotlight.test/testapp:1, runtime: exec, handler: [/testapp, cat, /etc/passwd]"
  local name
  for name in native native-copied http foreign exec cat; do check "$name is Ready" is_ready "$name"; done

  check "native answers" answers 'Hello, Ada!' native '/?name=Ada'
  check "native-copied answers" answers 'Hello, Ada!' native-copied '/?name=Ada'
  check "http answers" answers '{"a": 2}' http / -d '{"a":2}'
  check "foreign answers" answers '"path":"/some/path"' foreign /some/path
  check "exec answers" answers 'SOME TEXT' exec / -d 'some text'
  check "cat answers" answers 'nonroot:x:65532' cat
  check "a pod calls native by its name" says 'Hello, Bob!' ask_from_a_pod native '/?name=Bob'
  check "a pod calls foreign by its name" says '"path":"/x"' ask_from_a_pod foreign /x
  check "an unknown host is no function" says '^404$' status_of nobody

  check "no init container where the image has the shim" says '^$' init_containers native
  check "one where it has not" says '.' init_containers foreign
  check "an update is a new version" make_function http "image: docker.io/example/py-echo:1, handler: [python3, server.py], env: [{name: A, value: b}], $shim_inside"
  check "which takes over" await --for=jsonpath='{.status.versions.stable}'=2 function/http
  check "and answers" answers '{"a": 3}' http / -d '{"a":3}'
}
