# The chart upgraded and rolled back while requests come, some of which wake a function.
# shellcheck shell=bash disable=SC2154

chart() { helm "$@" --namespace "$home" --wait --timeout "${patience}s"; }
chart_test() { helm test pilotlight --namespace "$home" --timeout "${patience}s"; }

upgrade() {
  make_loaded
  check "one at zero" make_function cold "$hello, $at_zero"
  check "cold is Ready" is_ready cold
  record_load 100
  check "helm upgrade: every pod of the chart is replaced" chart upgrade pilotlight "$ROOT/charts/pilotlight" --reuse-values \
    --set operator.podAnnotations.e2e=next,gateway.podAnnotations.e2e=next
  check "cold is woken by the new gateways" says 'Hello, Ada!' ask cold '/?name=Ada'
  check "the new operator takes it to zero" goes_out cold
  check "helm test" chart_test
  check "helm rollback" chart rollback pilotlight
  check "cold is woken by the old gateways" says 'Hello, Ada!' ask cold '/?name=Ada'
  check "the old operator takes it to zero" goes_out cold
  count_load "the chart upgraded and rolled back" 0
}
