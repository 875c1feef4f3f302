#!/usr/bin/env bash
# Checks a running cluster: what the tests of the product rely on, and nothing they don't.   smoke.sh [STATE]
# Joins a node of its own for that, and takes it away again. Every request goes to an address inside the nodes' network
# namespaces, or to 127.0.0.1.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
# shellcheck source=settings.sh
. "$HERE/settings.sh"
# shellcheck source=checks.sh
. "$HERE/checks.sh"
STATE=$(realpath -m "${1:-$ROOT/build/cluster/state}")
[[ -e $STATE/env ]] || die "not up: $STATE"
# shellcheck disable=SC1091  # written by up.sh
. "$STATE/env"
second=$NODE-smoke
PATH=$("$HERE/build.sh" kubernetes):$("$HERE/build.sh" helm):$PATH
work=$(mktemp -d)
export PATH KUBECONFIG=$work/kubeconfig HELM_CACHE_HOME=$work/helm HELM_CONFIG_HOME=$work/helm HELM_DATA_HOME=$work/helm
cp "$STATE/admin.kubeconfig" "$KUBECONFIG"
apply() { kubectl apply -f - <<<"$1"; }
get() { curl -sf --max-time 5 "$1"; }
node() { "$HERE/node.sh" "$STATE" "$@"; }

# ---------------------------------------------------------------- what it is checked with

deployment() { # NAME IMAGE-PULL-POLICY NODE [IMAGE]
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
        image: pilotlight.test/${4:-testapp}:1
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
  [[ ! -e $STATE/nodes/$second ]] || quietly "$HERE/down.sh" --node "$second" "$STATE" || true
  quietly kubectl delete crd things.smoke.test --ignore-not-found || true
  quietly kubectl delete validatingadmissionpolicy,validatingadmissionpolicybinding smoke --ignore-not-found || true
  quietly kubectl delete namespace smoke --ignore-not-found || true
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
  check "no way leads out of the node" shut_in "$NODE"
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

second_node() {
  local address
  check "an image is made" "$HERE/image.sh" build "$work/own.tar" pilotlight.test/own:1 /testapp "$("$HERE/build.sh" images)/testapp"
  check "and loaded" "$HERE/image.sh" load "$STATE" "$work/own.tar"
  check "a second node joins" "$HERE/up.sh" --join "$second" "$STATE"
  check "twice is as once" "$HERE/up.sh" --join "$second" "$STATE"
  check "a deployment on it, of the image loaded before" apply "$(deployment far Never "$second" own)"
  check "far rolled out" kubectl rollout status deploy/far --timeout=60s
  address=$(kubectl get pod -l app=echo -o jsonpath='{.items[0].status.podIP}')
  check "its pod reaches a pod of the first node" says '"host":"echo-' kubectl exec deploy/far -- /testapp get "http://$address:8080/"
  check "its pod reaches a service of the first node's pods" soon says '"host":"echo-' kubectl exec deploy/far -- /testapp get "http://$service/"
  check "its pod resolves names" says '"host":"echo-' kubectl exec deploy/far -- /testapp get http://echo/
  address=$(kubectl get pod -l app=far -o jsonpath='{.items[0].status.podIP}')
  check "a pod of the first node reaches its pod" says '"host":"far-' kubectl exec deploy/client -- /testapp get "http://$address:8080/"
  check "logs of its pod" says 'testapp up' kubectl logs deploy/far
  check "its kubelet killed and back" comes_back "$second" kubelet
  check "no way leads out of it" shut_in "$second"
  kubectl patch deploy/far --patch '{"spec":{"template":{"spec":{"nodeSelector":null}}}}' >/dev/null
  check "it is drained" kubectl drain "$second" --ignore-daemonsets --timeout=60s
  check "its pods are elsewhere" kubectl rollout status deploy/far --timeout=60s
  check "it leaves" "$HERE/down.sh" --node "$second" "$STATE"
  check "nothing of it is left" no_trace "$second"
}

no_trace() { # NODE
  not grep -qw "$1" <(ip netns list) && not compgen -G "/sys/fs/cgroup/*/$1" && not kubectl get node "$1" &&
    not pgrep -f "node-init.sh $STATE/nodes/$1"
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

clean_up # after one that was killed
trap 'clean_up; rm -rf "$work"' EXIT
kubectl create namespace smoke >/dev/null
kubectl config set-context --current --namespace=smoke >/dev/null
pods_and_services
daily_commands
custom_resources
helm_chart
second_node
rights # the namespace is a restricted one from here on
faults
summary
