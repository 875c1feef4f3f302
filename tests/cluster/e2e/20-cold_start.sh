# To zero and back, and requests that wait for it.
# shellcheck shell=bash

# All at once to a function at zero; each answer names its own request.
crowd() { # NAME COUNT
  local answers
  answers=$(in_network curl -sS --fail-with-body --no-progress-meter --max-time 120 --parallel --parallel-immediate --parallel-max "$2" \
    -H "Host: $1.$namespace.localhost" "http://$gateway/?name=[1-$2]")
  diff <(seq -f 'Hello, %g!' 1 "$2" | sort) <(sort <<<"$answers")
}

cold_start() {
  make_client
  check "a function that waits at zero" make_function hello "$hello, $at_zero"
  check "it is Ready without a pod" is_ready hello
  check "no pod is there" says 'No resources' pods_of hello
  check "its first request is answered" says 'Hello, Ada!' ask hello '/?name=Ada'
  check "it goes out" goes_out hello
  check "status says so" await --for=jsonpath='{.status.replicas}'=0 function/hello
  check "a request of a pod wakes it" says 'Hello, Bob!' ask_from_a_pod hello '/?name=Bob'
  check "it goes out again" goes_out hello
  check "60 requests at once at zero: each is answered" crowd hello 60
  check "one of a foreign image" make_function foreign "image: pilotlight.test/testapp:1, handler: [/testapp, serve], $at_zero"
  check "is Ready" is_ready foreign
  check "is woken" says '"path":"/a"' ask foreign /a
  check "and goes out" goes_out foreign
}
