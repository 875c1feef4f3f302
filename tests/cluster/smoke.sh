#!/usr/bin/env bash
# Checks a running cluster: what the tests of the product rely on, and nothing they don't.   smoke.sh [STATE]
# Requests go to addresses inside the nodes' own network namespaces, or to 127.0.0.1. With joined nodes these are checked too.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
# shellcheck source=settings.sh
. "$HERE/settings.sh"
STATE=$(realpath -m "${1:-$ROOT/build/cluster/state}")
[[ -e $STATE/env ]] || die "not up: $STATE"
# shellcheck disable=SC1091  # written by up.sh
. "$STATE/env"
PATH=$("$HERE/build.sh" kubernetes):$("$HERE/build.sh" helm):$PATH
work=$(mktemp -d)
export PATH KUBECONFIG=$work/kubeconfig HELM_CACHE_HOME=$work/helm HELM_CONFIG_HOME=$work/helm HELM_DATA_HOME=$work/helm
cp "$STATE/admin.kubeconfig" "$KUBECONFIG"
node() { "$HERE/node.sh" "$STATE" "$@"; }

# ---------------------------------------------------------------- checks

passed=0 failed=0
check() { # NAME CMD...
  local name=$1 output start
  shift
  start=$(now_ms)
  if output=$("$@" 2>&1); then
    passed=$((passed + 1))
    echo "ok   $name ($(($(now_ms) - start)) ms)"
  else
    failed=$((failed + 1))
    printf 'FAIL %s\n%s\n' "$name" "$output"
  fi
}
not() { # CMD...: fails, and does not merely crash
  local output
  if output=$("$@" 2>&1); then
    echo "succeeded: $output"
    return 1
  fi
}
says() { # TEXT CMD...
  local text=$1 output
  shift
  output=$("$@" 2>&1) || { echo "$output"; return 1; }
  grep -q -- "$text" <<<"$output" || { echo "no '$text' in: $output"; return 1; }
}
refused() { # TEXT CMD...: fails, and says why
  local text=$1 output
  shift
  if output=$("$@" 2>&1); then
    echo "was accepted: $output"
    return 1
  fi
  grep -q -- "$text" <<<"$output" || { echo "no '$text' in: $output"; return 1; }
}
quietly() { "$@" >/dev/null 2>&1; }
soon() { within 20 quietly "$@" || "$@"; } # CMD...: within 20 s; the last try tells what is wrong
apply() { kubectl apply -f - <<<"$1"; }
get() { curl -sf --max-time 5 "$1"; }

# ---------------------------------------------------------------- what it is checked with

deployment() { # NAME IMAGE-PULL-POLICY NODE
  cat <<Y
apiVersion: apps/v1
kind: Deployment
metadata: {name: $1}
spec:
  selector: {matchLabels: {app: $1}}
  template:
    metadata: {labels: {app: $1}}
    spec:
      nodeSelector: {kubernetes.io/hostname: $3}
      terminationGracePeriodSeconds: 1
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: app
        image: pilotlight.test/testapp:1
        imagePullPolicy: $2
        ports: [{containerPort: 8080}]
        resources: {requests: {cpu: 100m, memory: 16Mi}, limits: {memory: 64Mi}}
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
        volumeMounts: [{name: secret, mountPath: /secret}]
      volumes: [{name: secret, secret: {secretName: secret, optional: true}}]
Y
}

things='
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.smoke.test}
spec:
  group: smoke.test
  names: {kind: Thing, plural: things, singular: thing}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas, labelSelectorPath: .status.selector}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            x-kubernetes-validations: [{rule: "self.replicas <= 5", message: "at most 5"}]
            properties: {replicas: {type: integer, default: 0}}
          status: {type: object, properties: {replicas: {type: integer}, selector: {type: string}}}'
thing() { apply "{apiVersion: smoke.test/v1, kind: Thing, metadata: {name: t}, spec: {replicas: $1}}"; }

autoscaler='
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: h}
spec:
  scaleTargetRef: {apiVersion: smoke.test/v1, kind: Thing, name: t}
  minReplicas: 1
  maxReplicas: 4
  metrics: [{type: External, external: {metric: {name: q}, target: {type: AverageValue, averageValue: "5"}}}]'

admission_policy='
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: smoke}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]}
  validations: [{expression: "!object.metadata.name.startsWith(\"bad\")"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: smoke}
spec: {policyName: smoke, validationActions: [Deny], matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: smoke}}}}'

clean_up() {
  rm -rf "$work/helm"
  quietly kubectl delete crd things.smoke.test --ignore-not-found || true
  quietly kubectl delete validatingadmissionpolicy,validatingadmissionpolicybinding smoke --ignore-not-found || true
  quietly kubectl delete namespace smoke --ignore-not-found || true
  rm -rf "$work"
}

# ---------------------------------------------------------------- the checks

pods_and_services() {
  kubectl create secret generic secret --from-literal=v=one >/dev/null
  check "deployment with imagePullPolicy Never" apply "$(deployment echo Never "$NODE")"
  check "deployment with imagePullPolicy IfNotPresent" apply "$(deployment client IfNotPresent "$NODE")"
  check "echo rolled out" kubectl rollout status deploy/echo --timeout=60s
  check "client rolled out" kubectl rollout status deploy/client --timeout=60s
  check "service" kubectl expose deploy/echo --port=80 --target-port=8080
  service=$(kubectl get service echo -o jsonpath='{.spec.clusterIP}')
  check "a pod reaches a service" soon says '"host":"echo-' kubectl exec deploy/client -- /testapp get "http://$service/"
  check "a pod reaches itself by its service" says '"host":"echo-' kubectl exec deploy/echo -- /testapp get "http://$service/"
  check "the node reaches a service" says '"host":"echo-' node "$NODE" exec curl -sf --max-time 5 "http://$service/"
  check "so does a program of the host in the node's network" says '"host":"echo-' node "$NODE" network curl -sf --max-time 5 "http://$service/"
  check "DNS resolves a service" says "^$service\$" kubectl exec deploy/client -- /testapp resolve echo.smoke.svc.cluster.local
  check "DNS resolves a short name" says '"host":"echo-' kubectl exec deploy/client -- /testapp get http://echo/
  check "DNS resolves the API server" says "^$SERVICE_API\$" kubectl exec deploy/client -- /testapp resolve kubernetes.default
  check "a pod reaches the API server" refused 'failed to verify certificate' kubectl exec deploy/client -- /testapp get https://kubernetes.default.svc/healthz
}

daily_commands() {
  check "logs" says 'testapp up' kubectl logs deploy/echo
  check "exec" says '^one' kubectl exec deploy/echo -- /testapp cat /secret/v
  check "port-forward" port_forward
  kubectl create secret generic secret --from-literal=v=two --dry-run=client -o yaml | quietly kubectl apply -f -
  check "a changed secret reaches a running pod" soon says '^two' kubectl exec deploy/echo -- /testapp cat /secret/v
  check "in-place resize of a pod" resize
}

port_forward() { # on a free port of the host's 127.0.0.1
  local port process status=0
  kubectl port-forward service/echo :80 >"$work/forward" 2>&1 &
  process=$!
  within 10 grep -q 'Forwarding from 127' "$work/forward" || status=1
  port=$(sed -n 's/.*127.0.0.1:\([0-9]*\) .*/\1/p' "$work/forward")
  says '"host":"echo-' get "http://127.0.0.1:$port/" || status=1
  kill $process
  return $status
}

resize() {
  local pod
  pod=$(kubectl get pod -l app=echo -o name)
  kubectl patch "$pod" --subresource resize --patch '{"spec":{"containers":[{"name":"app","resources":{"requests":{"cpu":"1m"}}}]}}' >/dev/null
  soon says '^1m 0$' kubectl get "$pod" -o jsonpath='{.status.containerStatuses[0].resources.requests.cpu} {.status.containerStatuses[0].restartCount}'
}

rights() {
  check "token of a service account" says '^eyJ' kubectl create token default
  check "token mounted in a pod" says '^eyJ' kubectl exec deploy/client -- /testapp cat /var/run/secrets/kubernetes.io/serviceaccount/token
  check "a service account has no rights by itself" refused '^no$' kubectl auth can-i get secrets --as=system:serviceaccount:smoke:default
  kubectl create role r --verb=get --resource=secrets >/dev/null
  kubectl create rolebinding r --role=r --serviceaccount=smoke:default >/dev/null
  check "with a role it has" kubectl auth can-i get secrets --as=system:serviceaccount:smoke:default
  check "a node reads no secret that is not its own" refused 'forbidden' kubectl --kubeconfig "$STATE/nodes/$NODE/conf/kubelet.kubeconfig" --server "https://127.0.0.1:$PORT" get secrets -A
  quietly kubectl label namespace smoke pod-security.kubernetes.io/enforce=restricted
  check "restricted Pod Security refuses a pod as root" refused 'violates PodSecurity' kubectl run root --image=pilotlight.test/testapp:1
  check "an admission policy" apply "$admission_policy"
  check "it denies" soon refused 'denied request' kubectl create configmap bad --dry-run=server
}

custom_resources() {
  check "a CRD with scale subresource" apply "$things"
  check "it is established" kubectl wait --for=condition=Established crd/things.smoke.test --timeout=10s
  check "a custom resource" soon thing 1
  check "a CEL rule refuses another" refused 'at most 5' thing 9
  check "kubectl scale" kubectl scale thing/t --replicas=3
  check "it is scaled" says '^3$' kubectl get thing t -o jsonpath='{.spec.replicas}'
  check "an HPA for it" apply "$autoscaler"
  check "the HPA's controller reads its scale" soon says 'SucceededGetScale' kubectl get hpa h -o jsonpath='{.status.conditions[*].reason}'
}

helm_chart() {
  local chart=$work/helm/chart
  mkdir -p "$chart/templates"
  printf 'apiVersion: v2\nname: smoke\nversion: 0.1.0\n' >"$chart/Chart.yaml"
  printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}-cm"}\ndata: {v: "{{ .Values.v }}"}\n' >"$chart/templates/cm.yaml"
  check "helm install" helm install release "$chart" --set v=1
  check "helm upgrade" helm upgrade release "$chart" --set v=2
  check "what it upgraded" says '^2$' kubectl get configmap release-cm -o jsonpath='{.data.v}'
  check "helm uninstall" helm uninstall release
}

joined_node() { # NAME
  local name=$1 address
  check "$name: a pod" apply "$(deployment "on-$name" Never "$name")"
  check "$name: rolled out" kubectl rollout status "deploy/on-$name" --timeout=60s
  address=$(kubectl get pod -l app=echo -o jsonpath='{.items[0].status.podIP}')
  check "$name: its pod reaches a pod of the first node" says '"host":"echo-' kubectl exec "deploy/on-$name" -- /testapp get "http://$address:8080/"
  check "$name: its pod reaches a service of the first node's pods" soon says '"host":"echo-' kubectl exec "deploy/on-$name" -- /testapp get "http://$service/"
  check "$name: DNS" says '"host":"echo-' kubectl exec "deploy/on-$name" -- /testapp get http://echo/
  address=$(kubectl get pod -l "app=on-$name" -o jsonpath='{.items[0].status.podIP}')
  check "$name: a pod of the first node reaches its pod" says "\"host\":\"on-$name-" kubectl exec deploy/client -- /testapp get "http://$address:8080/"
  check "$name: logs" says 'testapp up' kubectl logs "deploy/on-$name"
  check "$name: kubelet killed and back" comes_back "$name" kubelet
}

comes_back() { # NODE PART
  node "$1" restart "$2"
  soon says '^ok$' kubectl get --raw /readyz && kubectl wait --for=condition=Ready "node/$1" --timeout=60s
}

api_away() { # without it kubectl is refused, and then served again
  node "$NODE" kill kube-apiserver
  not kubectl get --raw /readyz && node "$NODE" start kube-apiserver && soon says '^ok$' kubectl get --raw /readyz
}

faults() {
  local part
  check "kube-apiserver stays away until it is started" api_away
  for part in etcd kube-apiserver kubelet containerd; do
    check "$part killed and back" comes_back "$NODE" "$part"
  done
  check "pods outlived that" says '"host":"echo-' node "$NODE" exec curl -sf --max-time 5 "http://$service/"
  check "a new pod after that" kubectl scale deploy/echo --replicas=2
  check "it is there" kubectl rollout status deploy/echo --timeout=60s
}

shut_in() { # NODE: no route leads elsewhere, and no link is there but those that end in namespaces of ours
  refused 'No route to host' node "$1" exec ip route get 192.0.2.1 && node "$1" exec ip -o link >"$work/links" &&
    not grep -vE '^[0-9]+: (lo|pl[0-9]+|pl[0-9]+@if[0-9]+|cni0|veth[0-9a-f]+@if[0-9]+):' "$work/links"
}

clean_up
mkdir -p "$work"
cp "$STATE/admin.kubeconfig" "$KUBECONFIG"
trap clean_up EXIT
kubectl create namespace smoke >/dev/null
kubectl config set-context --current --namespace=smoke >/dev/null
pods_and_services
daily_commands
custom_resources
helm_chart
for folder in $(node_folders); do
  [[ ${folder##*/} == "$NODE" ]] || joined_node "${folder##*/}"
done
rights # the namespace is a restricted one from here on
faults
for folder in $(node_folders); do check "${folder##*/}: no way leads out" shut_in "${folder##*/}"; done
echo "$passed passed, $failed failed"
((failed == 0))
