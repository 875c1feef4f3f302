#!/usr/bin/env bash
# Checks charts/pilotlight against a real API server without nodes: what it makes is accepted, may do what it must and no more, and
# goes through install, upgrade, rollback and uninstall.   chart_test.sh [-b BIN_DIR]
# With -b the programs of that folder run too, as the chart would start them, with the rights it gives them.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
# shellcheck source=checks.sh
. "$HERE/checks.sh"
PATH=$("$HERE/build.sh" kubernetes):$("$HERE/build.sh" helm):$PATH
work=$(mktemp -d)
state=$work/api
export PATH KUBECONFIG=$state/admin.kubeconfig HELM_CACHE_HOME=$work/helm HELM_CONFIG_HOME=$work/helm HELM_DATA_HOME=$work/helm
chart=$ROOT/charts/pilotlight
home=pilotlight-system
operator=system:serviceaccount:$home:pilotlight-operator
gateway=system:serviceaccount:$home:pilotlight-gateway

bin=''
if [[ ${1:-} == -b ]]; then
  bin=$(realpath "${2:?}")
  [[ -x $bin/pilotlight-operator && -x $bin/pilotlight-gateway && -x $bin/network_flows ]] || die "no operator, gateway or network_flows in $bin"
fi

clean_up() {
  local running
  running=$(jobs -p)
  # shellcheck disable=SC2086  # one word each
  [[ -z $running ]] || kill $running 2>/dev/null || true
  "$HERE/api.sh" down "$state"
  rm -rf "$work"
}
trap clean_up EXIT

# ---------------------------------------------------------------- what it is checked with

# Every option that makes an object of its own, or a part of one.
all_options() {
  cat <<Y
images: {prefix: registry.example/pl/, tag: "1.2", pullSecrets: [registry]}
domain: fn.example.com
clusterDomain: cluster.example
hosts: [{suffix: example.com, namespaces: [shop, billing]}, {suffix: "*", namespaces: ["*"]}]
settings: {gateway: {maxConnections: 10000000, headTimeout: 5s, http2: false}, operator: {parkingTicks: 10, parkedLook: 8s}}
operator: {podAnnotations: {a: b}, podLabels: {c: d}, nodeSelector: {e: f}, tolerations: [{operator: Exists}], priorityClassName: system-cluster-critical}
gateway:
  autoscaling: {enabled: true}
  service: {type: LoadBalancer, loadBalancerClass: example.com/lb, externalTrafficPolicy: Local, annotations: {a: b}, nodePort: 30080, tlsPort: 8443, tlsNodePort: 30443}
  tls: {secrets: [shop-tls, default.tls], redirect: true}
  affinity: {podAntiAffinity: {}}
networkPolicy: {monitoringNamespaces: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}
sourceWatch: {namespaces: [shop]}
ingress: {enabled: true, className: nginx, hosts: ["*.fn.example.com", fn.example.com], tls: [{hosts: [fn.example.com], secretName: tls}], annotations: {a: b}}
httpRoute: {enabled: true, parentRefs: [{name: gateway, namespace: infra}], hostnames: ["*.fn.example.com"]}
metrics: {podMonitor: {enabled: true, labels: {release: prometheus}}}
Y
}

# Stand-ins for two kinds that clusters may have: their fields are not checked, their names are.
foreign_kind() { # GROUP VERSION KIND PLURAL
  kubectl apply -f - <<Y
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: $4.$1, annotations: {api-approved.kubernetes.io: "https://example.com/test"}}
spec:
  group: $1
  scope: Namespaced
  names: {kind: $3, plural: $4, singular: ${3,,}}
  versions:
  - {name: $2, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
Y
  kubectl wait --for=condition=Established "crd/$4.$1" --timeout=20s
}

deployment() { # NAMESPACE NAME REPLICAS LABELS SELECTOR
  kubectl apply -f - <<Y
apiVersion: apps/v1
kind: Deployment
metadata: {name: $2, namespace: $1, labels: {$4}}
spec:
  replicas: $3
  selector: {$5}
  template: {metadata: {labels: {$4}}, spec: {containers: [{name: c, image: i}]}}
Y
}

rendered() { helm template pilotlight "$chart" --namespace "$home" "$@"; }
rendered_without() { # PATTERN ARG...: whatever the case
  local text
  text=$(rendered "${@:2}") && not grep -iE -- "$1" <<<"$text"
}
accepted() { rendered "$@" | kubectl apply --dry-run=server -f -; }
install_from() { helm upgrade --install pilotlight "$1" --namespace "$home" --reset-values "${@:2}"; }
install() { install_from "$chart" "$@"; }
may() { kubectl auth can-i --quiet --as="$1" "${@:2}"; } # ACCOUNT VERB RESOURCE…
may_not() { refused '^no' kubectl auth can-i --as="$1" "${@:2}"; }
# Nothing but the request itself, as our programs send it: kubectl reads the scale first, which they may not.
patches_scale() { # ACCOUNT NAMESPACE NAME PATCH
  local answer
  answer=$(curl -sS --cacert "$state/pki/ca.crt" --cert "$state/pki/admin.crt" --key "$state/pki/admin.key" -H "Impersonate-User: $1" \
    -X PATCH -H 'Content-Type: application/merge-patch+json' -d "$4" -w '%{stderr}%{http_code}' \
    "https://127.0.0.1:$(<"$state/run/port")/apis/apps/v1/namespaces/$2/deployments/$3/scale" 2>"$work/code")
  echo "$answer"
  [[ $(<"$work/code") == 200 ]]
}
gateway_patches() { patches_scale "$gateway" "$@"; }
replicas_patch() { echo "{\"spec\":{\"replicas\":$1}}"; }
gateway_scales() { gateway_patches "$1" "$2" "$(replicas_patch "$3")"; } # NAMESPACE NAME REPLICAS
replicas_of() { kubectl --namespace "$1" get deployment "$2" -o jsonpath='{.spec.replicas}'; }
host_rules() { rendered --values "$work/all.yaml" --show-only "templates/$1.yaml" | sed -n 's/^ *- \("--allow-host=.*"\)$/\1/p' | paste -sd' '; }
wrong() { refused "$1" rendered --set "$2"; } # MESSAGE VALUE

# ---------------------------------------------------------------- the checks

accepted_as_written() {
  check "helm lint" helm lint --strict "$chart"
  check "helm lint with every option" helm lint --strict "$chart" --values "$work/all.yaml"
  check "its CRDs are those of crds/" diff -r "$ROOT/crds" "$chart/files/crds"
  check "its version is the product's" says "^appVersion: $(sed -n 's/^project(pilotlight VERSION \([^ ]*\).*/\1/p' "$ROOT/CMakeLists.txt")\$" helm show chart "$chart"
  check "the API server accepts it" accepted
  check "with every option" accepted --values "$work/all.yaml"
  check "for one namespace" accepted --values "$work/all.yaml" --set watchNamespace=shop
  check "a Secret of one's own holds the key" says 'secret: {secretName: mine}' rendered --set callHome.existingSecret=mine
  check "then the chart makes none" refused 'could not find template' rendered --set callHome.existingSecret=mine --show-only templates/call-home.yaml
  local rules='"--allow-host=example.com=shop,billing" "--allow-host=*=*"'
  check "operator and gateways have the same rules of hosts" test "$(host_rules operator) and $(host_rules gateway)" == "$rules and $rules"
  check "the functions' Services lead to the cluster's domain" says 'pilotlight-gateway-internal\.pilotlight-system\.svc\.cluster\.example$' rendered --values "$work/all.yaml" --show-only templates/operator.yaml
  check "no number loses its form" rendered_without '[0-9]e\+[0-9]' --values "$work/all.yaml"
}

one_line() { tr -s ' \n' ' '; }
served_with_tls() {
  check "nothing of TLS without a Secret" rendered_without 'tls|8443' --show-only templates/gateway.yaml --show-only templates/services.yaml \
    --show-only templates/networkpolicy.yaml
  rendered --set 'gateway.tls.secrets={shop-tls,other}' >"$work/tls.yaml"
  check "the first Secret is the default" says '--tls-certificate=/etc/pilotlight-tls/shop-tls - --tls-certificate=/etc/pilotlight-tls/other' one_line <"$work/tls.yaml"
  check "they are mounted" grep -q 'secret: {secretName: shop-tls,' "$work/tls.yaml"
  check "the Service has a port for it" says 'name: https port: 443 targetPort: https' one_line <"$work/tls.yaml"
  check "the network lets it in" grep -q 'port: 8080}, {port: 8443}' "$work/tls.yaml"
  check "http is served beside it" not grep -q redirect-to-tls "$work/tls.yaml"
  check "or redirected" grep -q -- '--redirect-to-tls=443' <(rendered --set 'gateway.tls.secrets={a},gateway.tls.redirect=true')
}

# What visibility: cluster rests on: functions' own Services lead to the internal listener, and nothing else from outside does.
cluster_only() {
  check "functions' Services lead to the internal Service" grep -q -- '--gateway-service=pilotlight-gateway-internal.pilotlight-system.svc' <(rendered)
  check "which leads to the internal listener" says 'name: http, port: 80, targetPort: internal' rendered --show-only templates/services.yaml
  check "and has no address outside" says 'name: pilotlight-gateway-internal .* type: ClusterIP' one_line < <(rendered --values "$work/all.yaml" --show-only templates/services.yaml)
  check "the public Service, Ingress and HTTPRoute do not" refused 'nothing' \
    bash -c 'grep -qE "targetPort: internal|gateway-internal" || { echo nothing; exit 1; }' \
    < <(rendered --values "$work/all.yaml" --show-only templates/ingress.yaml --show-only templates/httproute.yaml)
}

wrong_values() {
  check "a redirect to TLS that is not there" wrong "/gateway/tls/secrets" gateway.tls.redirect=true
  check "a Secret twice" wrong "/gateway/tls/secrets" 'gateway.tls.secrets={a,a}'
  check "a name that no Secret has" wrong "/gateway/tls/secrets/0" 'gateway.tls.secrets={A_b}'
  check "no replicas" wrong "/gateway/replicas" gateway.replicas=0
  check "a misspelt name" wrong "'acesslog' not allowed" gateway.acesslog=all
  check "an unknown log level" wrong "/operator/logLevel" operator.logLevel=loud
  check "a number that is none" wrong "/gateway/drain/grace" gateway.drain.grace=long
  check "a name that no namespace can have" wrong "/watchNamespace" watchNamespace=Shop
  check "a resource that is no quantity" wrong "/gateway/resources/requests/cpu" gateway.resources.requests.cpu=much
  check "a route without a parent" wrong "/httpRoute/parentRefs" httpRoute.enabled=true
  check "a host for nobody" wrong "/hosts/0" "hosts[0].suffix=a.example"
  check "an ingress without a host" wrong "/ingress/hosts" ingress.enabled=true
}

pods_of() { kubectl --namespace "$home" get pods -l "app.kubernetes.io/component=$1" -o name | grep -c .; }
pods_are_made() { [[ $(pods_of operator) == 2 && $(pods_of gateway) == 2 ]]; }

# What `can-i --list` says beyond what every account may, one right a line.
rights_of() { # ACCOUNT
  kubectl auth can-i --list --as="$1" --namespace "${2:-shop}" | sed 1d | tr -s ' ' |
    grep -vE '^(selfsubject|clustertrustbundles| *\[/|\[/)' | sed 's/ \[\] / /; s/ *$//' | sort
}

expected_operator='deployments.apps [] [get list watch create update delete]
deployments.apps/scale [] [patch]
events [] [list watch create patch delete]
functionroutes.pilotlight.dev [] [get list watch create update]
functionroutes.pilotlight.dev/status [] [patch]
functions.pilotlight.dev [] [get list watch]
functions.pilotlight.dev/finalizers [] [update]
functions.pilotlight.dev/status [] [patch]
functionversions.pilotlight.dev [] [get list watch create delete]
networkpolicies.networking.k8s.io [] [get list watch create patch delete]
poddisruptionbudgets.policy [] [get list watch create patch delete]
pods [] [get list watch patch]
pods/resize [] [patch]
serviceaccounts [] [get list watch create patch]
services [] [get list watch create patch]'
expected_gateway='deployments.apps [] [get list watch]
deployments.apps/scale [] [patch]
functionroutes.pilotlight.dev [] [get list watch]
functionroutes.pilotlight.dev/status [] [patch]
pods [] [get list watch]'

rights() {
  check "the operator's rights are these and no more" diff <(echo "$expected_operator") <(rights_of "$operator")
  check "the gateways' rights are these and no more" diff <(echo "$expected_gateway") <(rights_of "$gateway")
  local account verb
  for account in "$operator" "$gateway"; do
    for verb in get list watch create update patch delete; do
      check "${account##*-} may not $verb secrets" may_not "$account" "$verb" secrets --all-namespaces
    done
    check "${account##*-} reads no Secret by a request" refused 'forbidden' kubectl --as="$account" --namespace "$home" get secrets
    check "${account##*-} reads no ConfigMap" may_not "$account" get configmaps --all-namespaces
    check "${account##*-} runs nothing in pods" may_not "$account" create pods --subresource=exec --all-namespaces
    check "${account##*-} grants nothing" may_not "$account" create rolebindings --all-namespaces
  done
  check "with sourceWatch" install --set 'sourceWatch.namespaces={shop}'
  check "the operator sees which Secrets change there" soon may "$operator" watch secrets --namespace shop
  check "but nowhere else" may_not "$operator" list secrets --namespace team
  check "and takes none out" may_not "$operator" get secrets --namespace shop
  check "without it" install
  check "it does not" soon may_not "$operator" watch secrets --namespace shop
  kubectl --namespace shop create rolebinding writer --clusterrole=edit --user=writer >/dev/null
  kubectl --namespace shop create rolebinding reader --clusterrole=view --user=reader >/dev/null
  check "who may edit a namespace may make Functions there" soon may writer create functions.pilotlight.dev --namespace shop
  check "and scale them" may writer patch functions.pilotlight.dev --subresource=scale --namespace shop
  check "but not their routes" may_not writer patch functionroutes.pilotlight.dev --namespace shop
  check "who may view it sees them" soon may reader list functions.pilotlight.dev --namespace shop
  check "and changes none" may_not reader patch functions.pilotlight.dev --namespace shop
  check "the operator renews its Lease" may "$operator" update "leases/pilotlight-operator" --namespace "$home"
  check "it takes no other" may_not "$operator" update "leases/other" --namespace "$home"
  check "nor one elsewhere" may_not "$operator" create leases --namespace kube-system
}

without_the_policy() { # RBAC alone would let it
  check "without the policy a gateway could stop the cluster's DNS" gateway_scales kube-system coredns 0
  check "it did" says '^0$' replicas_of kube-system coredns
  kubectl --namespace kube-system scale deployment coredns --replicas=2 >/dev/null
}

only_functions='may only scale Deployments of Functions'
only_up='may only raise a scale from 0 to 1'

scale_of_others() {
  check "a gateway can't stop the cluster's DNS" soon refused "$only_functions" gateway_scales kube-system coredns 0
  check "nor start more of it" refused "$only_functions" gateway_scales kube-system coredns 5
  check "it goes on as it was" says '^2$' replicas_of kube-system coredns
  check "nor of what only has our labels on itself" refused "$only_functions" gateway_scales shop labelled 5
  check "nor of what selects one of a list" refused "$only_functions" gateway_scales shop listed 5
  check "nor of what has one of the two" refused "$only_functions" gateway_scales shop half 5
  check "a selector that the request makes up is not believed" refused "$only_functions" gateway_patches kube-system coredns \
    '{"spec":{"replicas":5},"status":{"selector":"pilotlight.dev/function=a,pilotlight.dev/version=1"}}'
  check "labels neither" refused "$only_functions" gateway_patches kube-system coredns \
    '{"metadata":{"labels":{"pilotlight.dev/function":"a","pilotlight.dev/version":"1"}},"spec":{"replicas":5}}'
  check "a selector can't be changed into one of ours" refused 'immutable' kubectl -n kube-system patch deployment coredns --type=merge \
    -p '{"spec":{"selector":{"matchLabels":{"pilotlight.dev/function":"a"}},"template":{"metadata":{"labels":{"pilotlight.dev/function":"a"}}}}}'
  check "the Deployment itself is out of reach" refused 'forbidden' kubectl --as="$gateway" -n shop patch deployment hello-00001 -p '{"spec":{"replicas":9}}'
  check "so is another's" refused 'forbidden' kubectl --as="$gateway" -n kube-system delete deployment coredns
}

scale_of_ours() {
  check "a gateway wakes a function" gateway_scales shop hello-00001 1
  check "again the same is no harm" gateway_scales shop hello-00001 1
  check "it starts no more than that" refused "$only_up, not from 1 to 3" gateway_scales shop hello-00001 3
  check "the operator raises it" patches_scale "$operator" shop hello-00001 "$(replicas_patch 3)"
  check "a gateway does not lower it" refused "$only_up, not from 3 to 2" gateway_scales shop hello-00001 2
  check "nor end it" refused "$only_up" gateway_scales shop hello-00001 0
  check "nor by leaving the number out" refused "$only_up" gateway_patches shop hello-00001 '{"spec":{"replicas":null}}'
  check "three are wanted still" says '^3$' replicas_of shop hello-00001
  check "the operator lowers it" patches_scale "$operator" shop hello-00001 "$(replicas_patch 0)"
  check "administrators scale what they like" kubectl --namespace kube-system scale deployment coredns --replicas=1
}

# ---------------------------------------------------------------- the programs, with their accounts' tokens

operator_pid=''
# As a process of this machine: with a port of its own, and a kubeconfig in place of what a pod has mounted.
start_program() { # COMPONENT POD FLAG...
  local kubeconfig=$work/$1.kubeconfig arguments
  sed "s/token: [0-9a-f]*/token: $(kubectl -n "$home" create token "pilotlight-$1")/" "$state/nobody.kubeconfig" >"$kubeconfig"
  mapfile -t arguments < <(kubectl -n "$home" get deployment "pilotlight-$1" \
    -o jsonpath='{range .spec.template.spec.containers[0].args[*]}{@}{"\n"}{end}' | grep -v -- '-*listen=\|--call-home-keys=')
  mkdir -p "$work/keys"
  kubectl -n "$home" get secret pilotlight-call-home -o jsonpath='{.data.key}' | base64 -d >"$work/keys/key"
  arguments+=("--call-home-keys=$work/keys")
  POD_NAME=$2 POD_NAMESPACE=$home "$bin/pilotlight-$1" "${arguments[@]}" "${@:3}" --kubeconfig="$kubeconfig" >"$work/$1.log" 2>&1 &
  declare -g "${1}_pid=$!"
}

start_programs() {
  local pod
  pod=$(kubectl -n "$home" get pods -l app.kubernetes.io/component=gateway -o jsonpath='{.items[0].metadata.name}')
  start_program operator operator --listen=127.0.0.1:0
  start_program gateway "$pod" --listen=127.0.0.1:0 --internal-listen=127.0.0.1:0
}

logs_say() { grep -q -- "$2" "$work/$1.log" || { tail -n 5 "$work/$1.log"; return 1; } }
ask_gateway() { # in the background: the request is held, since no pod ever starts here
  local address
  address=$(sed -n 's/.*"gateway started".*"listen":"\([^"]*\)".*/\1/p' "$work/gateway.log")
  curl -s -m 30 -H 'Host: run.shop.localhost' "http://$address/" >/dev/null 2>&1 &
}
woken_by_the_gateway() {
  [[ $(replicas_of shop run-00001) == 1 ]] &&
    says 'pilotlight-gateway' kubectl -n shop get deployment run-00001 --show-managed-fields -o jsonpath='{.metadata.managedFields[*].manager}'
}
all_made() {
  kubectl -n shop get functionversion/run-00001 functionroute/run service/run serviceaccount/pilotlight-run deployment/run-00001 \
    networkpolicy/pilotlight-run
}
left_of_run() { kubectl -n shop get functionversion,functionroute,service,serviceaccount,deployment,networkpolicy,pdb -l pilotlight.dev/function=run -o name; }
patch_run() { kubectl -n shop patch function run --type=merge -p "{\"spec\":$1}"; }
has_budget() { kubectl -n shop get pdb pilotlight-run; }

# Who talks to whom, with function `run` as it is at that time.
flows() { # NAME-OF-TABLE
  kubectl get networkpolicies --all-namespaces -o json >"$work/policies.json"
  "$bin/network_flows" "$work/policies.json" <("$1")
}
endpoints() {
  cat <<J
"namespaces": {"$home": {}, "shop": {}, "team": {}, "monitoring": {}, "kube-system": {}},
"endpoints": {
  "function": {"namespace": "shop", "labels": {"pilotlight.dev/function": "run", "pilotlight.dev/version": "1"}, "ip": "10.1.0.1"},
  "other function": {"namespace": "shop", "labels": {"pilotlight.dev/function": "other"}, "ip": "10.1.0.2"},
  "database": {"namespace": "shop", "labels": {"app": "postgres"}, "ip": "10.1.0.3"},
  "pod": {"namespace": "team", "labels": {"app": "x"}, "ip": "10.1.1.1"},
  "impostor": {"namespace": "shop", "labels": {"app.kubernetes.io/name": "pilotlight", "app.kubernetes.io/instance": "pilotlight", "app.kubernetes.io/component": "gateway"}, "ip": "10.1.0.4"},
  "gateway": {"namespace": "$home", "labels": {"app.kubernetes.io/name": "pilotlight", "app.kubernetes.io/instance": "pilotlight", "app.kubernetes.io/component": "gateway"}, "ip": "10.1.2.1"},
  "operator": {"namespace": "$home", "labels": {"app.kubernetes.io/name": "pilotlight", "app.kubernetes.io/instance": "pilotlight", "app.kubernetes.io/component": "operator"}, "ip": "10.1.2.2"},
  "prometheus": {"namespace": "monitoring", "labels": {"app": "prometheus"}, "ip": "10.1.3.1"},
  "dns": {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}, "ip": "10.1.4.1"},
  "node's dns": {"ip": "169.254.20.10"},
  "api server": {"ip": "10.0.0.1"},
  "internet": {"ip": "203.0.113.9"}}
J
}
flows_of_the_chart() {
  cat <<J
{$(endpoints),
"allowed": [
  ["internet", "gateway", 8080], ["pod", "gateway", 8080], ["pod", "gateway", 8081], ["function", "gateway", 8081], ["prometheus", "gateway", 8081],
  ["operator", "gateway", 8081], ["gateway", "api server", 443], ["gateway", "api server", 6443], ["gateway", "dns", 53, "UDP"], ["gateway", "node's dns", 53, "UDP"],
  ["gateway", "function", 8012], ["gateway", "other function", 8012], ["operator", "api server", 6443], ["operator", "dns", 53],
  ["prometheus", "operator", 8082], ["prometheus", "function", 8012], ["function", "internet", 443], ["function", "database", 5432], ["pod", "database", 5432]],
"denied": [
  ["internet", "gateway", 8081], ["pod", "gateway", 22], ["gateway", "internet", 80], ["gateway", "database", 5432], ["gateway", "function", 22],
  ["gateway", "internet", 53, "UDP"], ["pod", "operator", 8082], ["internet", "operator", 8082], ["operator", "internet", 80],
  ["internet", "function", 8012], ["pod", "function", 8012], ["other function", "function", 8012], ["impostor", "function", 8012], ["prometheus", "function", 80]]}
J
}
flows_shut_in() { # with egress to the database alone
  cat <<J
{$(endpoints),
"allowed": [["gateway", "function", 8012], ["function", "gateway", 8081], ["function", "dns", 53, "UDP"], ["function", "dns", 53], ["function", "node's dns", 53, "UDP"],
  ["function", "database", 5432], ["other function", "internet", 443]],
"denied": [["function", "internet", 443], ["function", "internet", 53, "UDP"], ["function", "database", 22], ["function", "pod", 5432], ["function", "other function", 8012],
  ["function", "gateway", 8080], ["function", "api server", 443], ["pod", "function", 8012]]}
J
}
flows_open() {
  cat <<J
{$(endpoints), "allowed": [["function", "internet", 443], ["gateway", "function", 8012], ["gateway", "internet", 443]], "denied": [["pod", "function", 8012]]}
J
}

isolation() {
  check "who may talk to whom: operator, gateways, a function" flows flows_of_the_chart
  check "network.egress shuts a function in" patch_run '{"network":{"egress":[{"podLabels":{"app":"postgres"},"ports":[{"port":5432}]}]}}'
  check "with what it names, DNS and call-home left" soon flows flows_shut_in
  check "without it, it is open again" patch_run '{"network":null}'
  check "as before" soon flows flows_of_the_chart
  check "a host name is refused" refused 'address range' patch_run '{"network":{"egress":[{"cidr":"db.example.com"}]}}'
  check "so is an entry that names nothing" refused 'must be given' patch_run '{"network":{"egress":[{"ports":[{"port":1}]}]}}'
  check "a token without an account of one's own" refused 'needs serviceAccountName' patch_run '{"pod":{"serviceAccountToken":true}}'
  check "two replicas at all times" patch_run '{"scale":{"min":2}}'
  check "have a disruption budget" soon has_budget
  check "one has none" patch_run '{"scale":{"min":1}}'
  check "any more" soon refused 'not found' has_budget
  patch_run '{"scale":{"min":0}}' >/dev/null
}

memory_holds() { # PID TEXT
  python3 - "$@" <<'P'
import re, sys
maps, text = open(f"/proc/{sys.argv[1]}/maps"), sys.argv[2].encode()
with open(f"/proc/{sys.argv[1]}/mem", "rb", 0) as memory:
    for line in maps:
        start, end, mode = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
        if not mode.startswith("rw"):
            continue
        memory.seek(int(start, 16))
        if text in memory.read(int(end, 16) - int(start, 16)):
            sys.exit(0)
sys.exit("not found")
P
}
# Without --server-side the values would be in an annotation as well.
secret() { kubectl -n shop create secret generic db --from-literal="PASSWORD=$1" --dry-run=client -o yaml | kubectl apply --server-side -f -; }
sources_of_run() { kubectl -n shop get deployment run-00002 -o jsonpath='{.spec.template.metadata.annotations.pilotlight\.dev/env-sources}'; }
condition_of_run() { kubectl -n shop get function run -o jsonpath="{.status.conditions[?(@.type==\"$1\")].$2}"; }
names_the_secret_now() { says "$(kubectl -n shop get secret db -o jsonpath='{.metadata.uid}/{.metadata.resourceVersion}')" sources_of_run; }

sources() {
  check "a Function with variables of a Secret" patch_run '{"secrets":[{"name":"db","env":true}]}'
  check "the missing Secret is named" soon says 'Secret db, which spec.secrets names, is not there' condition_of_run Progressing message
  check "it appears" secret one
  check "it is not missing any more" soon says '^True$' condition_of_run Progressing status
  check "its changes are seen" says '^True$' condition_of_run SourcesWatched status
  check "its revision is on the pods" soon names_the_secret_now
  check "it changes" secret a-value-like-no-other
  check "the pods are replaced" soon names_the_secret_now
  check "what the operator holds can be looked for" memory_holds "$operator_pid" pilotlight-run
  check "the value is not in it" not memory_holds "$operator_pid" a-value-like-no-other
  check "nor as the API writes it" not memory_holds "$operator_pid" "$(printf a-value-like-no-other | base64)"
}

programs_run() {
  sed 's/name: hello/name: run/; s/replicas: 1/scale: {initial: 0}/' "$HERE/function.yaml" >"$work/run.yaml"
  start_programs
  check "the operator starts with the chart's arguments and rights, and leads" soon logs_say operator 'operator started'
  check "so does a gateway" soon logs_say gateway 'gateway started'
  check "a Function is applied" kubectl -n shop apply -f "$work/run.yaml"
  check "the operator makes what it needs" soon all_made
  check "the gateway acknowledges its route" soon says '"gateways"' kubectl -n shop get functionroute run -o jsonpath='{.status}'
  check "the Function is ready" kubectl -n shop wait --for=condition=Ready function/run --timeout=20s
  check "it has an event" soon says 'VersionCreated' kubectl -n shop get events -o jsonpath='{.items[*].reason}'
  ask_gateway
  check "the gateway wakes it: the policy lets it" soon woken_by_the_gateway
  isolation
  sources
  check "what a deleted Function had goes" kubectl -n shop delete function run
  check "all of it" soon nothing left_of_run
  check "nothing was forbidden" not grep -i forbidden "$work/operator.log" "$work/gateway.log"
}

# ---------------------------------------------------------------- from install to uninstall

crd_column() { kubectl get crd functions.pilotlight.dev -o jsonpath='{.spec.versions[0].additionalPrinterColumns[*].name}'; }

call_home_key() { kubectl -n "$home" get secret pilotlight-call-home -o jsonpath='{.data.key}'; }

upgrades() {
  cp -r "$chart" "$work/next"
  sed -i '0,/- name: Ready$/s//- name: Prepared/' "$work/next/files/crds/pilotlight.dev_functions.yaml"
  local key
  key=$(call_home_key)
  check "a key for shims was made" test "$(base64 -d <<<"$key" | wc -c)" -ge 32
  check "an upgrade" install_from "$work/next" --set gateway.replicas=3
  check "it keeps the key" says "^$key\$" call_home_key
  check "it changes CRDs" says 'Prepared' crd_column
  check "it changes Deployments" says '^3$' replicas_of "$home" pilotlight-gateway
  check "helm rollback" helm rollback pilotlight 1 --namespace "$home"
  check "CRDs are back" says 'Ready' crd_column
  check "Deployments are back" says '^2$' replicas_of "$home" pilotlight-gateway
}

left_behind() { kubectl get all,role,rolebinding,configmap,secret,networkpolicy,pdb -n "$home" -l app.kubernetes.io/instance=pilotlight -o name; }
left_in_cluster() { kubectl get clusterrole,clusterrolebinding,validatingadmissionpolicy,validatingadmissionpolicybinding -l app.kubernetes.io/instance=pilotlight -o name; }
nothing() { [[ -z $("$@") ]] || { "$@"; return 1; } }

uninstalls() {
  check "uninstall" helm uninstall pilotlight --namespace "$home"
  check "nothing is left of it" soon nothing left_behind
  check "nor in the cluster" nothing left_in_cluster
  check "Functions are kept" kubectl -n shop get function hello
  check "they can be deleted: nothing holds them" kubectl -n shop delete function hello --timeout=10s
  check "installed again" install
}

one_namespace() {
  local operator=system:serviceaccount:team:small-pilotlight-operator gateway=system:serviceaccount:team:small-pilotlight-gateway
  check "a release for one namespace, beside the other" helm install small "$chart" --namespace team --set watchNamespace=shop,crds.install=false
  check "it works there" may "$operator" create deployments.apps --namespace shop
  check "and its gateways" may "$gateway" patch deployments.apps --subresource=scale --namespace shop
  check "nowhere else" may_not "$operator" get functions.pilotlight.dev --namespace team
  check "nor in all" may_not "$operator" list deployments.apps --all-namespaces
  check "its operator finds its gateways" may "$operator" list pods --namespace team
  check "its gateways find each other" may "$gateway" list pods --namespace team
  check "it made nothing cluster-wide but the policy" says '^validatingadmissionpolicy' kubectl get \
    clusterrole,clusterrolebinding,validatingadmissionpolicy -l app.kubernetes.io/instance=small -o name
  check "which holds for its gateways too" soon refused "$only_functions" patches_scale "$gateway" shop labelled "$(replicas_patch 5)"
}

objects() {
  foreign_kind monitoring.coreos.com v1 PodMonitor podmonitors
  foreign_kind gateway.networking.k8s.io v1 HTTPRoute httproutes
  local namespace ours='pilotlight.dev/function: hello, pilotlight.dev/version: "1"'
  for namespace in "$home" shop team; do kubectl create namespace "$namespace"; done
  kubectl label namespace "$home" pod-security.kubernetes.io/enforce=restricted
  deployment kube-system coredns 2 "k8s-app: kube-dns" "matchLabels: {k8s-app: kube-dns}"
  deployment shop hello-00001 0 "$ours" "matchLabels: {$ours}"
  deployment shop labelled 1 "app: labelled, $ours" "matchLabels: {app: labelled}"
  deployment shop half 1 "app: half, $ours" 'matchLabels: {app: half, pilotlight.dev/function: hello}'
  deployment shop listed 1 "$ours" 'matchExpressions: [{key: pilotlight.dev/function, operator: In, values: [hello, other]}, {key: pilotlight.dev/version, operator: Exists}]'
}

"$HERE/api.sh" up --parent $$ "$state" >/dev/null
all_options >"$work/all.yaml"
objects >"$work/objects.log"
accepted_as_written
served_with_tls
cluster_only
wrong_values
check "helm install" install --set admissionPolicy.enabled=false
without_the_policy
check "the policy comes with an upgrade" install
check "restricted Pod Security lets the pods in" soon pods_are_made
check "a Function" kubectl --namespace shop apply -f "$ROOT/tests/cluster/function.yaml"
rights
scale_of_others
scale_of_ours
kubectl -n shop scale deployment hello-00001 --replicas=3 >/dev/null
if [[ -n $bin ]]; then
  install --set 'sourceWatch.namespaces={shop}' --set 'networkPolicy.monitoringNamespaces.matchLabels.kubernetes\.io/metadata\.name=monitoring' >/dev/null
  programs_run
  install >/dev/null
fi
one_namespace
helm uninstall small --namespace team >/dev/null
upgrades
uninstalls
summary
