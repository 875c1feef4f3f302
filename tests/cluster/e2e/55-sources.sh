# Secrets that change under running functions: variables by other replicas, which needs a right that is given per namespace; files by a
# signal.
# shellcheck shell=bash disable=SC2154

condition() { kubectl get function "$1" -o jsonpath="{.status.conditions[?(@.type==\"$2\")].status}"; } # NAME TYPE
rolled_out() { kubectl rollout status "deploy/$1-00001" --timeout="${patience}s"; } # NAME
replaced() { not grep -xFf "$2" <(pods_of "$1" -o name); }                              # NAME FILE

sources() {
  local probe="image: docker.io/pilotlight/base-python:0.1.0, handler: [python3, /code/probe.py], config: [{name: code, path: /code}]"
  put configmap code --from-file="$HERE/e2e/probe.py"
  put "secret generic" token --from-literal=TOKEN=one
  put "secret generic" db --from-literal=password=one
  check "a function with variables of a Secret" make_function variables "$probe, secrets: [{name: token, env: true}], scale: {min: 2}, $shim_inside"
  check "one that is told of changed files" make_function told "$probe, env: [{name: REMEMBER, value: /etc/db/password}],
    secrets: [{name: db, path: /etc/db, onChange: signal}], $shim_inside"
  check "they are Ready" is_ready variables
  check "both" is_ready told
  check "the variable is there" says '^one$' ask variables /env/TOKEN
  check "the file was read" says '^one$' ask told /remembered
  check "without the right, the Function says that nobody sees the Secret" says False condition variables SourcesWatched
  check "nor may the operator list Secrets here" refused '^no' kubectl auth can-i list secrets --as="system:serviceaccount:$home:pilotlight-operator"
  check "the right is given" chart upgrade pilotlight "$ROOT/charts/pilotlight" --reuse-values --set "sourceWatch.namespaces={$namespace}"
  check "the Function says so" await --for=condition=SourcesWatched function/variables
  check "replicas whose Secret nobody saw are replaced" rolled_out variables
  check "it is for this namespace alone" refused '^no' kubectl auth can-i list secrets -n default --as="system:serviceaccount:$home:pilotlight-operator"
  pods_of variables -o name >"$work/before"
  start_load 50 variables
  put "secret generic" token --from-literal=TOKEN=two
  check "a changed Secret reaches the variable" eventually says '^two$' ask variables /env/TOKEN
  check "its replicas are replaced" rolled_out variables
  check "the old ones go" eventually replaced variables "$work/before"
  check "all of them" says '^two two$' variables_of_all
  check "of the same version" says '^1$' kubectl get function variables -o jsonpath='{.status.versions.latest}'
  end_of_load
  local before
  before=$(pods_and_restarts told)
  put "secret generic" db --from-literal=password=two
  check "a changed file: SIGHUP has the handler read it again" eventually says '^two$' ask told /remembered
  check "in the same process" says "^$before\$" pods_and_restarts told
  check "the right is taken back" chart rollback pilotlight
}

variables_of_all() {
  local pod
  for pod in $(pods_of variables --field-selector=status.phase=Running -o name); do
    kubectl exec "$pod" -- /usr/bin/python3 -c 'import os; print(os.environ["TOKEN"])'
  done | paste -sd' '
}
