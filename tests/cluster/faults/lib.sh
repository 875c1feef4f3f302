# What the faults share: a load of which every failure and every repetition counts, and operators as processes of this machine.
# Sourced, never run.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154

fault_topics=(operator_killed operator_gone api_server_gone etcd_gone node_parts_gone replica_killed gateway_deleted gateway_killed
  gateway_container_killed watch_expired clock_jumps made_again thousand)

# Where the load's recorder listens: on the first node, which its pods reach.
recorder=$API_ADDRESS:8090
handler='
import http.client, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one piece: whoever is killed has said all or nothing

    def do_GET(self):
        if self.path.startswith("/record/"):
            recorder = http.client.HTTPConnection(os.environ["RECORDER"], timeout=30)
            recorder.request("GET", self.path[len("/record"):])
            recorder.getresponse().read()
            recorder.close()
        body = os.environ.get("ROUND", "ok").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

class Server(ThreadingHTTPServer):
    request_queue_size = 128

Server(("", int(os.environ["PORT"])), Handler).serve_forever()
'
# The inner part of a spec: its handler comes from the ConfigMap "code" as a variable, so that no volume is needed.
recording() { # EXTRA
  printf 'image: docker.io/pilotlight/base-python:0.1.0, runtime: http, handler: [python3, -c, "import os; exec(os.environ[\\"CODE\\"])"],
    config: [{name: code, env: true}], env: [{name: RECORDER, value: "%s"}%s], %s, %s' "$recorder" "${2:-}" "$shim_inside" "$1"
}
make_loaded() { # the function that the load asks
  kubectl create configmap code --from-literal=CODE="$handler" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
  check "a function of two replicas" make_function loaded "$(recording 'scale: {min: 2, toZeroAfter: 10m}, concurrency: {perReplica: 32}')"
  check "it is Ready" is_ready loaded
  check "both replicas are" await --for=jsonpath='{.status.readyReplicas}'=2 function/loaded
}
make_sleeper() { # NAME: one that waits at zero
  check "$1: one at zero" make_function "$1" "$hello, concurrency: {queue: {wait: 5s}}, scale: {initial: 0, toZeroAfter: 3s}"
  check "$1 is Ready" is_ready "$1"
}

record_load() { start_load "$1" loaded --callers 16 --recorder "$recorder"; } # RATE
# The fault itself is over: what did it cost?
count_load() { # WHAT MOST-FAILED [PATTERN of what may fail]: prints the counts
  stop_load
  local last=''
  last=$(tail -1 "$work/load")
  echo "     $1: $last"
  check "$1: no more than $2 failed, none doubled" within_bounds "$2" "${3:-}"
}
within_bounds() { # MOST-FAILED [PATTERN]
  local failed_requests doubled
  failed_requests=$(sed -n '$s/.* \([0-9]*\) failed.*/\1/p' "$work/load")
  doubled=$(sed -n '$s/.* \([0-9]*\) doubled.*/\1/p' "$work/load")
  cat "$work/load"
  ((failed_requests <= $1 && doubled == 0)) || return 1
  [[ -z ${2:-} ]] || ! head -n -1 "$work/load" | grep -v '^$' | grep -vqE -- "$2"
}

on_node() { "$HERE/node.sh" "$STATE" "$NODE" "$@"; }
each_in_pod() { # POD-NAMESPACE POD PROGRAM DO: a shell command for each of its processes, with $p
  local id
  id=$(kubectl -n "$1" get pod "$2" -o jsonpath='{.status.containerStatuses[0].containerID}')
  on_node exec sh -c "grep -l -- '${id#*://}' /proc/[0-9]*/cgroup | cut -d/ -f3 | while read -r p; do
    case \$(tr '\\0' ' ' </proc/\$p/cmdline 2>/dev/null) in *$3*) $4 ;; esac; done"
}
# Kills a container; the kubelet starts it again.
kill_in_pod() { each_in_pod "$@" 'kill -KILL $p'; } # POD-NAMESPACE POD PROGRAM
# Kills a gateway's process, not its keeper, which is the container's first. Prints how many connections clients had open there: it
# is stopped first, so that none is added while they are counted.
kill_gateway_in() { # POD
  each_in_pod "$home" "$1" pilotlight-gateway 'grep -q "^NSpid:.*[^0-9]1\$" /proc/$p/status || {
    kill -STOP $p; grep -c ":1F90 [0-9A-F:]* 01 " /proc/$p/net/tcp; kill -KILL $p; }'
}
one_pod() { kubectl -n "$1" get pods -l "$2" --field-selector=status.phase=Running -o jsonpath='{.items[0].metadata.name}'; }

# ---------------------------------------------------------------- an operator as a process, with the chart's arguments and rights

take_operator_out() { # out of the cluster, and make what ours needs
  kubectl -n "$home" scale deploy/pilotlight-operator --replicas=0 >/dev/null
  kubectl -n "$home" wait --for=delete pod -l app.kubernetes.io/component=operator --timeout="${patience}s" >/dev/null 2>&1 || true
  local token
  token=$(kubectl -n "$home" create token pilotlight-operator --duration=6h)
  kubectl config view --raw --minify -o json | python3 -c '
import json, sys
config = json.load(sys.stdin)
config["users"][0]["user"] = {"token": sys.argv[1]}
json.dump(config, open(sys.argv[2], "w"))' "$token" "$work/operator.kubeconfig"
  mkdir -p "$work/keys"
  local key
  for key in $(kubectl -n "$home" get secret pilotlight-call-home -o json | python3 -c 'import json, sys; print(*json.load(sys.stdin)["data"])'); do
    kubectl -n "$home" get secret pilotlight-call-home -o jsonpath="{.data.$key}" | base64 -d >"$work/keys/$key"
  done
  mapfile -t operator_arguments < <(kubectl -n "$home" get deploy pilotlight-operator \
    -o jsonpath='{range .spec.template.spec.containers[0].args[*]}{@}{"\n"}{end}' |
    sed -E "s,^--listen=.*,--listen=127.0.0.1:0,; s,^--call-home-keys=.*,--call-home-keys=$work/keys,; s,^--lease-seconds=.*,--lease-seconds=3,")
}
start_operator() { # VARIABLE=VALUE...: in the node's network
  env POD_NAMESPACE="$home" "$@" nsenter -t "$(node_process "$STATE/nodes/$NODE")" -n -- "$bin/pilotlight-operator" \
    "${operator_arguments[@]}" --kubeconfig="$work/operator.kubeconfig" >"$work/operator.log" 2>&1 &
  operator=$!
}
operator_leads() { grep -q '"operator started"' "$work/operator.log"; }
await_leader() { within "$patience" operator_leads || { cat "$work/operator.log"; return 1; }; }
kill_operator() {
  kill -KILL "$operator" 2>/dev/null || true
  wait "$operator" 2>/dev/null || true
}
put_operator_back() {
  kubectl -n "$home" scale deploy/pilotlight-operator --replicas=2 >/dev/null
  check "the cluster's operator is back" kubectl -n "$home" rollout status deploy/pilotlight-operator --timeout="${patience}s"
}

all_gone() { # NAME: nothing of a function is left
  [[ -z $(kubectl get functions,functionversions,functionroutes,deployments,replicasets,pods,services,serviceaccounts,networkpolicies \
    -l "pilotlight.dev/function=$1" -o name) ]]
}
