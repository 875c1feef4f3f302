"""The numbers of the product on a real Kubernetes, each beside a plain Deployment in the same run.

Run by ../bench.sh inside the node's network. Prints a table of medians and ratios, writes build/bench/cluster.json. Nothing is
asserted: a shared machine would make such a test lie.
"""
import argparse
import concurrent.futures
import copy
import http.client
import json
import os
import pathlib
import socket
import statistics
import sys
import time

import yaml

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
from first_byte import first_byte_ms, percentile
from kube import Api, cpu_by_program, cpu_seconds, family, processes, pss_mib, wait_until

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
NAMESPACE, SYSTEM = "bench", "pilotlight-system"
FUNCTIONS = f"/apis/pilotlight.dev/v1alpha1/namespaces/{NAMESPACE}/functions"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
SERVICES = f"/api/v1/namespaces/{NAMESPACE}/services"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
ANSWER = 120  # seconds to wait for one


class Bench:
    def __init__(self, arguments):
        self.api = Api(arguments.kubeconfig)
        self.node = arguments.node
        self.runs = arguments.runs
        self.rows, self.samples = [], {}
        service = self.api("GET", f"/api/v1/namespaces/{SYSTEM}/services/pilotlight-gateway")
        self.gateway = service["spec"]["clusterIP"]
        self.reference = list(yaml.safe_load_all((HERE / "reference.yaml").read_text()))

    # ------------------------------------------------------------ what is measured

    def make_reference(self, name, probe, secret):
        """A plain Deployment at zero; its Service's address."""
        deployment, service = copy.deepcopy(self.reference)
        pod = deployment["spec"]["template"]["spec"]
        if not probe:
            del pod["containers"][0]["readinessProbe"]
        if not secret:
            del pod["volumes"], pod["containers"][0]["volumeMounts"]
        for thing in deployment, service:
            thing["metadata"]["name"] = name
        for labels in (deployment["spec"]["selector"]["matchLabels"], deployment["spec"]["template"]["metadata"]["labels"],
                       service["spec"]["selector"]):
            labels["app"] = name
        self.api.apply(DEPLOYMENTS, deployment)
        return self.api.apply(SERVICES, service)["spec"]["clusterIP"]

    def make_function(self, name, **spec):
        self.make_functions([name], **spec)

    def make_functions(self, names, **spec):
        base = {"image": "docker.io/example/hello:1", "runtime": "native", "handler": ["libhello.so", "handle"],
                "resources": {"cpu": "10m", "memory": "64Mi"},
                "pod": {"annotations": {"pilotlight.dev/shim-in-image": "true"}},
                "scale": {"initial": 0, "toZeroAfter": "1s"}}
        for name in names:
            self.api.apply(FUNCTIONS, {"apiVersion": "pilotlight.dev/v1alpha1", "kind": "Function", "metadata": {"name": name},
                                       "spec": base | spec})
        wait_until(lambda: set(names) <= self.ready(), 120, f"{names[0]} and so on are Ready")

    def ready(self):
        return {function["metadata"]["name"] for function in self.api.items(FUNCTIONS) if is_ready(function)}

    def no_pods(self, selector):
        wait_until(lambda: not self.api.items(PODS, selector), 180, f"no pod of {selector} is left", 0.2)

    # ------------------------------------------------------------ one cold start each

    def reference_ms(self, name, address):
        """From the PATCH to the first byte of the first 200 through the ClusterIP; then back to zero."""
        took = reference_first_byte(self.api, name, address)
        self.api.scale(NAMESPACE, name, 0)
        self.no_pods(f"app={name}")
        return took

    def function_ms(self, name):
        """From the request to the first byte of its answer; then until it is at zero again."""
        took = self.first_byte_ms(name)
        self.no_pods(f"pilotlight.dev/function={name}")
        return took

    def first_byte_ms(self, name):
        return first_byte_ms(self.gateway, 80, "/", f"{name}.{NAMESPACE}", ANSWER)

    # ------------------------------------------------------------ the rows

    def row(self, what, ours, reference, target, unit="ms"):
        value, beside = statistics.median(ours), statistics.median(reference) if reference else None
        spread = f"p10 {percentile(ours, 0.1):.0f}, p90 {percentile(ours, 0.9):.0f}" if len(ours) > 1 else ""
        self.rows.append({"what": what, "value": value, "unit": unit, "reference": beside, "target": target, "spread": spread})
        self.samples[what] = {"ours": ours, "reference": reference}
        print(f"{what}: {value:.1f} {unit} ({spread})" +
              (f", reference {beside:.1f}, ratio {value / beside:.2f}" if beside else "") + f"; to reach: {target}", flush=True)

    def cold_starts(self):
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bench"}, "stringData": {"password": "for a bench"}}
        self.api.apply(f"/api/v1/namespaces/{NAMESPACE}/secrets", secret)
        self.make_function("plain")
        self.make_function("mounted", secrets=[{"name": "bench", "path": "/secret"}])
        self.make_function("variables", secrets=[{"name": "bench", "env": True}])
        self.make_function("foreign", pod={})
        references = {name: self.make_reference(name, probe, secret) for name, probe, secret in
                      [("r-probed", True, False), ("r-unprobed", False, False), ("r-secret", True, True), ("r-secret-unprobed", False, True)]}
        took = {name: [] for name in ("plain", "mounted", "variables", "foreign", *references)}
        for run in range(self.runs + 1):
            for name in took:
                if name in ("variables", "foreign", "r-secret-unprobed") and run > max(1, self.runs // 4):
                    continue  # to show what they cost; no target hangs on them
                value = self.reference_ms(name, references[name]) if name in references else self.function_ms(name)
                if run > 0:  # the first warms caches, for all
                    took[name].append(value)
        self.row("zero to first byte, native", took["plain"], took["r-probed"], "<= 0.45 of the reference")
        self.row("the same, reference without a probe", took["plain"], took["r-unprobed"], "")
        self.row("one Secret mounted", took["mounted"], took["r-secret"], "<= 0.7 of the reference with one")
        self.row("the same, reference without a probe", took["mounted"], took["r-secret-unprobed"], "")
        self.row("the Secret as variables", took["variables"], took["r-secret"], "")
        self.row("shim copied by the init container", took["foreign"], took["r-probed"], "")
        for name in ("plain", "mounted", "variables", "foreign"):
            self.api("DELETE", f"{FUNCTIONS}/{name}")

    def parked(self):
        self.make_function("parked", scale={"initial": 0, "parked": 1, "max": 1, "toZeroAfter": "1s"})
        took = [self.parked_ms("parked") for _ in range(self.runs)]
        self.row("parked to first byte, native", took, [], "<= 20 ms")
        self.api("DELETE", f"{FUNCTIONS}/parked")
        python = {"image": "docker.io/example/py-echo:1", "runtime": "http", "handler": ["python3", "server.py"]}
        self.make_function("parked-python", scale={"initial": 0, "parked": 1, "max": 1, "toZeroAfter": "1s"}, **python)
        took = [self.parked_ms("parked-python") for _ in range(self.runs)]
        self.row("parked to first byte, Python", took, [], "interpreter's start + 20 ms")
        self.api("DELETE", f"{FUNCTIONS}/parked-python")

    def parked_ms(self, name):
        def has(field):
            status = self.api("GET", f"{FUNCTIONS}/{name}").get("status", {})
            return status.get(field, 0) >= 1 and status.get("replicas", 0) == 1
        wait_until(lambda: has("parkedReplicas"), 120, f"{name} is parked")
        took = self.first_byte_ms(name)
        wait_until(lambda: has("readyReplicas"), 120, f"{name} is told to be lit")  # or the next would be asked while it is
        return took

    def at_once(self, count, rounds):
        """All woken by one burst: every answer, and when the last came."""
        names = [f"many-{i}" for i in range(count)]
        references = [f"r-many-{i}" for i in range(count)]
        self.make_functions(names)
        addresses = [self.make_reference(name, True, False) for name in references]
        ours, theirs = [], []
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            apis = [Api(ARGUMENTS.kubeconfig) for _ in names]
            for _ in range(rounds):
                begin = time.perf_counter()
                list(pool.map(self.first_byte_ms, names))
                ours.append((time.perf_counter() - begin) * 1000)
                for name in names:
                    self.no_pods(f"pilotlight.dev/function={name}")
                begin = time.perf_counter()
                list(pool.map(reference_first_byte, apis, references, addresses))
                theirs.append((time.perf_counter() - begin) * 1000)
                for name in references:
                    self.api.scale(NAMESPACE, name, 0)
                for name in references:
                    self.no_pods(f"app={name}")
        self.row(f"{count} woken at once: the last answer", ours, theirs, "<= 1.5 of the reference")
        for name, reference in zip(names, references):
            self.api("DELETE", f"{FUNCTIONS}/{name}")
            self.api("DELETE", f"{DEPLOYMENTS}/{reference}")
            self.api("DELETE", f"{SERVICES}/{reference}")

    def patches(self):
        """By the gateways' own clock, over every wake of this run."""
        counts = {}
        for pod in self.api.items(f"/api/v1/namespaces/{SYSTEM}/pods", "app.kubernetes.io/component=gateway"):
            connection = http.client.HTTPConnection(pod["status"]["podIP"], 8081, timeout=10)
            connection.request("GET", "/metrics")
            for line in connection.getresponse().read().decode().splitlines():
                if line.startswith("pilotlight_gateway_wake_seconds_bucket") and 'phase="sent"' in line:
                    bound = float(line.split('le="')[1].split('"')[0].replace("+Inf", "inf"))
                    counts[bound] = counts.get(bound, 0) + int(line.split()[-1])
            connection.close()
        bounds = sorted(counts)
        most = counts[bounds[-1]]
        if most == 0:
            raise RuntimeError("no gateway has raised anything: run it after a part with cold starts")
        bound = next(bound for bound in bounds if counts[bound] >= 0.99 * most)
        self.row(f"request to PATCH sent, p99 of {most}, no more than", [bound * 1000], [], "<= 5 ms")

    def apply_at_once(self, names):
        """By eight clients. From the first until all are Ready, as a watch tells: lists of them all would be work for the API as well."""
        functions = [{"apiVersion": "pilotlight.dev/v1alpha1", "kind": "Function", "metadata": {"name": name},
                      "spec": {"image": "docker.io/example/hello:1", "runtime": "native", "handler": ["libhello.so", "handle"],
                               "scale": {"initial": 0}}} for name in names]
        apis = [Api(ARGUMENTS.kubeconfig) for _ in range(8)]
        since = self.api("GET", f"{FUNCTIONS}?limit=1")["metadata"]["resourceVersion"]
        writes, cpu, begin = self.api.writes(), cpu_by_program(self.node), time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(len(apis)) as pool:
            list(pool.map(lambda at: [apis[at].apply(FUNCTIONS, each) for each in functions[at::len(apis)]], range(len(apis))))
        applied, left = time.perf_counter() - begin, set(names)
        for function in self.api.watch(FUNCTIONS, since, 900):
            if function["kind"] == "Function" and is_ready(function):
                left.discard(function["metadata"]["name"])
            if not left:
                break
        if left:
            raise RuntimeError(f"{len(left)} Functions are not Ready, {min(left)} among them")
        took = time.perf_counter() - begin
        used = {name: seconds - cpu.get(name, 0) for name, seconds in cpu_by_program(self.node).items()}
        self.row(f"{len(names)} Functions applied (in {applied:.1f} s) until all are Ready", [took], [], "<= 30 s", "s")
        self.row("API writes until then, for each", [(self.api.writes() - writes) / len(names)], [], "", "")
        most = ", ".join(f"{name} {used[name]:.1f}" for name in sorted(used, key=used.get, reverse=True)[:5])
        self.row(f"CPU of the node's programs until then ({most})", [sum(used.values())], [], "", "s")

    def idle(self, count):
        names = [f"idle-{i}" for i in range(count)]
        self.apply_at_once(names)
        time.sleep(20)  # let what the start needed be given back
        pids = {program: processes(program, self.node) for program in ("pilotlight-operator", "pilotlight-gateway")}
        before, begin = {pid: cpu_seconds(pid) for each in pids.values() for pid in each}, time.perf_counter()
        time.sleep(30)  # what idleness costs is only seen over time
        seconds = time.perf_counter() - begin
        leader = max(map(family, pids["pilotlight-operator"]), key=pss_mib)
        gateway = max(map(family, pids["pilotlight-gateway"]), key=pss_mib)
        self.row(f"{count} idle Functions: operator and a gateway, PSS", [pss_mib(leader) + pss_mib(gateway)], [], "<= 150 MiB", "MiB")
        self.row("the gateway alone", [pss_mib(gateway)], [], "<= 30 MiB", "MiB")
        busy = sum(cpu_seconds(pid) - before[pid] for pid in leader + gateway) / seconds * 100
        self.row("CPU of both", [busy], [], "<= 2 % of a core", "%")
        self.restart(names)
        for name in names:
            self.api("DELETE", f"{FUNCTIONS}/{name}")

    def restart(self, names):
        """An operator that starts beside what is there: from its process's start to the first change that it carries out."""
        deployment = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/pilotlight-operator"
        pods = f"/api/v1/namespaces/{SYSTEM}/pods"
        operators = "app.kubernetes.io/component=operator"
        was = self.api("GET", deployment)["spec"]["replicas"]
        took = []
        for attempt in range(5):
            self.api.scale(SYSTEM, "pilotlight-operator", 0)
            wait_until(lambda: not self.api.items(pods, operators), 120, "no operator")
            name = names[attempt]
            generation = self.api("PATCH", f"{FUNCTIONS}/{name}", {"spec": {"env": [{"name": "A", "value": str(attempt)}]}},
                                  "application/merge-patch+json")["metadata"]["generation"]
            self.api.scale(SYSTEM, "pilotlight-operator", 1)
            wait_until(lambda: processes("pilotlight-operator", self.node), 120, "an operator runs", 0.005)
            begin = time.perf_counter()
            wait_until(lambda: self.api("GET", f"{FUNCTIONS}/{name}").get("status", {}).get("observedGeneration", 0) >= generation, 120,
                       f"{name} is up to date", 0.02)
            took.append(time.perf_counter() - begin)
        self.api.scale(SYSTEM, "pilotlight-operator", was)
        self.row("operator restarted, until a change made meanwhile is carried out", took, [], "<= 3 s", "s")


def is_ready(function):
    conditions = function.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def reference_first_byte(api, name, address):
    begin = time.perf_counter()
    api.scale(NAMESPACE, name, 1)
    while True:
        try:
            with socket.create_connection((address, 80), timeout=5) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: reference\r\nConnection: close\r\n\r\n")
                if connection.recv(4096).startswith(b"HTTP/1.1 200"):
                    return (time.perf_counter() - begin) * 1000
        except OSError:
            pass
        if time.perf_counter() - begin > ANSWER:
            raise RuntimeError(f"{name}: no answer within {ANSWER} s")
        time.sleep(0.005)


def main():
    bench = Bench(ARGUMENTS)
    parts = {"cold": bench.cold_starts, "parked": bench.parked, "many": lambda: bench.at_once(50, ARGUMENTS.rounds), "patch": bench.patches,
             "idle": lambda: bench.idle(ARGUMENTS.functions)}
    bench.api.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    for part in ARGUMENTS.parts or parts:
        parts[part]()
    print("\n| | median | reference | ratio | to reach |\n|---|---|---|---|---|")
    for row in bench.rows:
        beside, ratio = ("", "") if row["reference"] is None else (f"{row['reference']:.0f} {row['unit']}", f"{row['value'] / row['reference']:.2f}")
        print(f"| {row['what']} | {row['value']:.{0 if row['value'] >= 100 else 1}f} {row['unit']} | {beside} | {ratio} | {row['target']} |")
    results = REPOSITORY / "build" / "bench" / "cluster.json"
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps({"cpus": os.cpu_count(), "rows": bench.rows, "samples": bench.samples}, indent=2) + "\n")
    print(f"written: {results}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--node", required=True, help="the node's name, which is its cgroup's")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5, help="of 50 at once")
    parser.add_argument("--functions", type=int, default=1000)
    parser.add_argument("parts", nargs="*", help="cold, parked, many, patch, idle; default: all")
    ARGUMENTS = parser.parse_args()
    main()
