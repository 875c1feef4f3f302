# Specs that the API server refuses by itself, by schema or CEL, with a message that names the field and says what is allowed.
# shellcheck shell=bash

names_field() { # FIELD MESSAGE SPEC
  local output
  if output=$(kubectl apply --dry-run=server -f - 2>&1 <<<"$(function_of wrong "$3")"); then
    echo "was accepted: $output"
    return 1
  fi
  grep -qF -- "$1" <<<"$output" && grep -qF -- "$2" <<<"$output" || { echo "no '$1' or no '$2' in: $output"; return 1; }
}

wrong_specs() {
  local field message spec
  check "the same without the mistake is accepted" kubectl apply --dry-run=server -f - <<<"$(function_of right 'image: i, handler: [a]')"
  while IFS='|' read -r field message spec; do
    check "$field: {$spec}" names_field "$field" "$message" "$spec"
  done <<'CASES'
spec.image|Required value|handler: [a]
spec.image|should match|image: "no image", handler: [a]
spec.handler|Required value|image: i
spec.handler|at least 1 items|image: i, handler: []
spec.handler|must start with the program or library to run|image: i, handler: [""]
spec.handler|must be [library, function] or [library] for runtime native|image: i, runtime: native, handler: [a, b, c]
spec.runtime|supported values: "native", "http", "exec"|image: i, handler: [a], runtime: lambda
spec.hander|unknown field|image: i, handler: [a], hander: [b]
spec.timeout|must be|image: i, handler: [a], timeout: 1ms
spec.timeout|must be|image: i, handler: [a], timeout: 25h
spec.timeout|should match|image: i, handler: [a], timeout: soon
spec.env[0].name|must not start with PILOTLIGHT_|image: i, handler: [a], env: [{name: PILOTLIGHT_X, value: v}]
spec.env[0].name|should match|image: i, handler: [a], env: [{name: "1 2", value: v}]
spec.env[1]|Duplicate value|image: i, handler: [a], env: [{name: A, value: v}, {name: A, value: w}]
spec.secrets[0].path|give the folder to put the files in, or set env: true|image: i, handler: [a], secrets: [{name: db}]
spec.secrets[0].path|leave one of the two out|image: i, handler: [a], secrets: [{name: db, path: /db, env: true}]
spec.config[0].path|should match|image: i, handler: [a], config: [{name: c, path: relative}]
spec.resources.memory|must be|image: i, handler: [a], resources: {memory: 1Ki}
spec.resources.cpu|should match|image: i, handler: [a], resources: {cpu: much}
spec.concurrency.perReplica|less than or equal to 1000|image: i, handler: [a], concurrency: {perReplica: 1001}
spec.concurrency.target|less than or equal to 100|image: i, handler: [a], concurrency: {target: 101}
spec.concurrency.queue.wait|must be|image: i, handler: [a], concurrency: {queue: {wait: 0s}}
spec.replicas|greater than or equal to 0|image: i, handler: [a], replicas: -2
spec.replicas|must be of type integer|image: i, handler: [a], replicas: "many"
spec.scale.min|lower it or raise max|image: i, handler: [a], scale: {min: 5, max: 2}
spec.scale.initial|lower it or raise max|image: i, handler: [a], scale: {initial: 5, max: 2}
spec.scale.toZeroAfter|must be|image: i, handler: [a], scale: {toZeroAfter: 1ms}
spec.scale.metrics[0].type|supported values: "concurrency"|image: i, handler: [a], scale: {metrics: [{type: rain}]}
spec.http.visibility|supported values: "public", "cluster"|image: i, handler: [a], http: {visibility: secret}
spec.http.protocol|h2c is for runtime http only|image: i, handler: [a], runtime: exec, http: {protocol: h2c}
spec.http.hosts[0]|should match|image: i, handler: [a], http: {hosts: ["not a host"]}
spec.http.hosts[1]|Duplicate value|image: i, handler: [a], http: {hosts: [a.b, a.b]}
spec.http.routes[0].path|should match|image: i, handler: [a], http: {routes: [{path: "no/slash"}]}
spec.http.routes[0].path|give each its own name|image: i, handler: [a], http: {routes: [{path: "/{x}/{x}"}]}
spec.http.limits.body|must be|image: i, handler: [a], http: {limits: {body: 2Ti}}
spec.pod.port|has a meaning for runtime http only|image: i, handler: [a], runtime: exec, pod: {port: 80}
spec.pod.readyPath|has a meaning for runtime http only|image: i, handler: [a], runtime: exec, pod: {readyPath: /x}
spec.pod.labels|those are reserved|image: i, handler: [a], pod: {labels: {pilotlight.dev/function: other}}
spec.pod.tolerations[0].key|required unless operator is Exists|image: i, handler: [a], pod: {tolerations: [{value: a}]}
spec.pod.tolerations[0].value|leave it out|image: i, handler: [a], pod: {tolerations: [{operator: Exists, value: a}]}
CASES
  check "a name that is too long" refused 'metadata.name: Too long: may not be more than 52' kubectl apply --dry-run=server -f - \
    <<<"$(function_of "$(printf 'a%.0s' {1..53})" 'image: i, handler: [a]')"
}
