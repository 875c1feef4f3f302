# Secrets and ConfigMaps, as files and as variables.
# shellcheck shell=bash disable=SC2154

put() { # KIND NAME ARG...: made or changed
  # shellcheck disable=SC2086  # "secret generic" is two words
  kubectl create $1 "$2" "${@:3}" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
}
pods_and_restarts() { # NAME
  pods_of "$1" -o jsonpath='{range .items[*]}{.metadata.name}{.status.containerStatuses[*].restartCount}{" "}{end}'
}

mounts() {
  put "secret generic" db --from-literal=password=one
  put configmap settings --from-literal=greeting=hello
  put "secret generic" token --from-literal=TOKEN=abc
  put configmap code --from-file="$HERE/e2e/probe.py"
  check "a function with Secrets and ConfigMaps" make_function probe "image: docker.io/pilotlight/base-python:0.1.0, handler: [python3, /code/probe.py],
    config: [{name: code, path: /code}, {name: settings, path: /etc/settings}],
    secrets: [{name: db, path: /var/run/secrets/db}, {name: token, env: true}],
    env: [{name: ONE_KEY, valueFrom: {secretKeyRef: {name: token, key: TOKEN}}}], $shim_inside"
  check "it is Ready" is_ready probe
  check "a Secret is a file" says '^one$' ask probe /file/var/run/secrets/db/password
  check "a ConfigMap is a file" says '^hello$' ask probe /file/etc/settings/greeting
  check "a Secret is a variable" says '^abc$' ask probe /env/TOKEN
  check "so is one key of it" says '^abc$' ask probe /env/ONE_KEY
  check "the handler can't write them" refused 'Read-only\|Permission' kubectl exec deploy/probe-00001 -- \
    /usr/bin/python3 -c 'open("/var/run/secrets/db/password", "w")'
  local before
  before=$(pods_and_restarts probe)
  put "secret generic" db --from-literal=password=two
  put configmap settings --from-literal=greeting=goodbye
  check "a changed Secret reaches the running handler" eventually says '^two$' ask probe /file/var/run/secrets/db/password
  check "a changed ConfigMap too" eventually says '^goodbye$' ask probe /file/etc/settings/greeting
  check "in the same pods, not restarted" says "^$before\$" pods_and_restarts probe
  check "as the same version" says '^1$' kubectl get function probe -o jsonpath='{.status.versions.latest}'
}
