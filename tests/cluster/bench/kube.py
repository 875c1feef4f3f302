"""The Kubernetes API over one kept connection, as an administrator; and the processes of a node."""
import base64
import http.client
import json
import os
import ssl
import tempfile
import time
import urllib.parse

import yaml

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Api:
    def __init__(self, kubeconfig):
        with open(kubeconfig, encoding="utf-8") as file:
            config = yaml.safe_load(file)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        url = urllib.parse.urlparse(cluster["server"])
        self._place = url.hostname, url.port
        self._tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(base64.b64decode(user["client-certificate-data"]) + b"\n" + base64.b64decode(user["client-key-data"]))
            pair.flush()
            self._tls.load_cert_chain(pair.name)
        self._connection = None

    def call(self, method, path, body=None, kind="application/json"):
        """What the API says, as (status, object)."""
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(*self._place, context=self._tls, timeout=120)
            self._connection.connect()
        try:
            self._connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": kind})
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read())
        except Exception:
            self._connection.close()
            self._connection = None
            raise

    def __call__(self, method, path, body=None, kind="application/json"):
        status, answer = self.call(method, path, body, kind)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {answer.get('message')}")
        return answer

    def text(self, path):
        """Of an answer that is no JSON."""
        self._connection = None  # the kept one may have been idle for too long
        self.call("GET", "/version")
        self._connection.request("GET", path)
        return self._connection.getresponse().read().decode()

    def watch(self, path, resource_version, seconds):
        """Objects as they change, of a connection of their own: ends after so many seconds."""
        connection = http.client.HTTPSConnection(*self._place, context=self._tls, timeout=seconds + 10)
        connection.request("GET", f"{path}?watch=1&resourceVersion={resource_version}&timeoutSeconds={seconds}")
        answer = connection.getresponse()
        while line := answer.readline():
            yield json.loads(line)["object"]
        connection.close()

    def writes(self):
        """That the API server has answered since it started, refused ones too."""
        lines = (line for line in self.text("/metrics").splitlines() if line.startswith("apiserver_request_total{"))
        return sum(float(line.split()[-1]) for line in lines if any(f'verb="{verb}"' in line for verb in ("POST", "PUT", "PATCH", "APPLY", "DELETE")))

    def items(self, path, selector=""):
        return self("GET", path + ("?labelSelector=" + urllib.parse.quote(selector) if selector else ""))["items"]

    def apply(self, path, thing):
        return self("PATCH", f"{path}/{thing['metadata']['name']}?fieldManager=bench&force=true", thing, APPLY)

    def scale(self, namespace, deployment, replicas):
        return self("PATCH", f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}/scale", {"spec": {"replicas": replicas}}, MERGE)


def wait_until(holds, seconds, what, pause=0.05):
    end = time.monotonic() + seconds
    while not (value := holds()):
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(pause)
    return value


def programs(node):
    """Names of the programs that run in this node, by process."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read().split(b"\0")[0].decode()
            with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
                groups = file.read()
        except OSError:
            continue
        if f"/{node}/" in groups or f"/{node}\n" in groups:
            found[int(pid)] = os.path.basename(command)
    return found


def processes(program, node):
    return sorted(pid for pid, name in programs(node).items() if name == program)


def cpu_by_program(node):
    """Seconds, of those that run now."""
    seconds = {}
    for pid, name in programs(node).items():
        try:
            seconds[name] = seconds.get(name, 0) + cpu_seconds(pid)
        except OSError:
            continue  # it has just ended
    return seconds


def family(pid):
    """It and its children: a gateway's keeper and the gateway."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        return [pid, *map(int, file.read().split())]


def pss_mib(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total / 1024


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
