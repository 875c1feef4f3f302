# The chart upgraded and rolled back while requests come, some of which wake a function.
# shellcheck shell=bash

revision() { # ANNOTATION: of the pods of gateway and operator
  kubectl -n $home get pods -l 'app.kubernetes.io/component in (gateway, operator)' --field-selector=status.phase=Running \
    -o jsonpath='{range .items[*]}{.metadata.annotations.e2e}{"\n"}{end}' | sort -u
}
chart() { helm "$@" --namespace $home --wait --timeout "${patience}s"; }

upgrade() {
  check "a function that is warm" make_function warm "$hello, scale: {min: 2, toZeroAfter: 10m}"
  check "one at zero" make_function cold "$hello, $at_zero"
  check "warm is Ready" is_ready warm
  check "cold is Ready" is_ready cold
  start_load 50 warm
  check "helm upgrade: every pod of the chart is replaced" chart upgrade pilotlight "$ROOT/charts/pilotlight" --reuse-values \
    --set operator.podAnnotations.e2e=next,gateway.podAnnotations.e2e=next
  check "cold is woken by the new gateways" says 'Hello, Ada!' ask cold '/?name=Ada'
  check "the new operator takes it to zero" goes_out cold
  check "helm test" chart_test
  check "helm rollback" chart rollback pilotlight
  check "cold is woken by the old gateways" says 'Hello, Ada!' ask cold '/?name=Ada'
  check "the old operator takes it to zero" goes_out cold
  end_of_load
}
chart_test() { helm test pilotlight --namespace $home --timeout "${patience}s"; }
