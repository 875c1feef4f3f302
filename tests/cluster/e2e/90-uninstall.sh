# The chart goes while there are Functions; then they and their namespace go, and the CRDs: nothing is stuck. Comes last.
# shellcheck shell=bash

of_the_chart() {
  kubectl get all,role,rolebinding,configmap,secret,networkpolicy,pdb,serviceaccount -n $home -l app.kubernetes.io/instance=pilotlight -o name
  kubectl get clusterrole,clusterrolebinding,validatingadmissionpolicy,validatingadmissionpolicybinding -l app.kubernetes.io/instance=pilotlight -o name
}
none() { [[ -z $("$@") ]] || { "$@"; return 1; }; }

uninstall() {
  check "a function with a pod" make_function warm "$hello"
  check "one at zero" make_function cold "$hello, $at_zero"
  check "warm is Ready" is_ready warm
  check "cold is Ready" is_ready cold
  check "helm uninstall" helm uninstall pilotlight --namespace $home --wait --timeout "${patience}s"
  check "nothing is left of the chart" eventually none of_the_chart
  check "the Functions are kept" kubectl get function warm cold
  check "and their pods" says Running pods_of warm
  check "one is deleted" kubectl delete function warm --timeout="${patience}s"
  check "its pods go" no_pods warm
  check "the namespace goes with the other in it" kubectl delete namespace "$namespace" --timeout="${patience}s"
  check "the CRDs go" kubectl delete crd functions.pilotlight.dev functionversions.pilotlight.dev functionroutes.pilotlight.dev --timeout="${patience}s"
  check "the chart's namespace goes" kubectl delete namespace $home --timeout="${patience}s"
}
