"""Operator and gateways as processes, and the objects that a chart would make for them."""
import http.client
import json
import os
import signal
import subprocess
import threading

import api

BIN = os.environ["PILOTLIGHT_BIN"]
NAMESPACE = "pilotlight-system"
SELECTOR = "app.kubernetes.io/name=pilotlight,app.kubernetes.io/component=gateway"
KEYS = os.environ["PILOTLIGHT_STATE"] + "-keys"  # a folder, as the kubelet mounts the chart's Secret


class Program:
    """A process whose standard output is JSON lines."""

    def __init__(self, name, *arguments):
        self.name = name
        self.lines = []
        self._came = threading.Condition()
        # The programs live no longer than the test, however it ends.
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", f"{BIN}/{name}", *arguments],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._came:
                try:
                    self.lines.append(json.loads(line))
                except ValueError:
                    self.lines.append({"msg": line.strip()})
                self._came.notify_all()
        with self._came:
            self.lines.append({"msg": "the end"})
            self._came.notify_all()

    def said(self, message, count=1):
        """The line with this message; the count-th of them."""

        def found():
            matching = [line for line in self.lines if line.get("msg") == message]
            return matching[count - 1] if len(matching) >= count else None

        with self._came:
            self._came.wait_for(lambda: found() or any(line["msg"] == "the end" for line in self.lines), api.DEADLINE)
            if not found():
                raise AssertionError(f"{self.name} did not say {message!r}: {self.lines[-20:]}")
            return found()

    def proper(self):
        """The process that does the work."""
        return self.process.pid

    def send(self, number):
        os.kill(self.proper() if number in (signal.SIGSTOP, signal.SIGCONT) else self.process.pid, number)

    def wait(self):
        code = self.process.wait(api.DEADLINE)
        self._reader.join()
        self.process.stdout.close()
        return code

    def end(self, number=signal.SIGTERM):
        """The exit code."""
        if self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.send(number)
        return self.wait()

    def memory(self):
        """Resident kB."""
        with open(f"/proc/{self.proper()}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))

    def cpu(self):
        """Seconds of CPU so far."""
        with open(f"/proc/{self.proper()}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(address, path, host="localhost", method="GET", body=None, timeout=api.DEADLINE):
    """Status and text."""
    ip, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(ip, int(port), timeout=timeout)
    try:
        connection.request(method, path, body, {"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def metric(address, name):
    for line in ask(address, "/metrics")[1].splitlines():
        if line.startswith(name + " "):
            return float(line.rsplit(" ", 1)[1])
    return None


class Gateway(Program):
    def __init__(self, name, ip="127.0.0.1", port=0):
        self.pod, self.ip = name, ip
        make_pod(name, ip)
        super().__init__("pilotlight-gateway", "--kubeconfig", os.environ["KUBECONFIG"], "--name", name, "--loops", "1",
                         "--listen", f"{ip}:0", "--internal-listen", f"{ip}:{port}", "--end-delay", "0", "--access-log", "all",
                         "--namespace", NAMESPACE, "--gateway-selector", SELECTOR, "--call-home-keys", KEYS)
        started = self.said("gateway started")
        self.address, self.internal = started["listen"], started["internal"]
        ready(name, ip)

    def proper(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="utf-8") as file:
            return int(file.read())  # its keeper's only child

    def metric(self, name):
        return metric(self.internal, name)

    def end(self, number=signal.SIGTERM):
        code = super().end(number)
        api.delete(f"{api.GATEWAY_PODS}/{self.pod}", grace=0)
        return code


class Operator(Program):
    def __init__(self, gateways, *arguments, lease=15):
        super().__init__("pilotlight-operator", "--kubeconfig", os.environ["KUBECONFIG"], "--namespace", NAMESPACE,
                         "--listen", "127.0.0.1:0", "--gateways", gateways, "--gateway-port", gateways.rsplit(":", 1)[1],
                         "--lease-seconds", str(lease), "--call-home-keys", KEYS, *arguments)
        self.address = self.said("operator stands by")["listen"]

    def leads(self):
        return any(line.get("msg") == "operator started" for line in self.lines)

    def metric(self, name):
        return metric(self.address, name)


def make_keys(key):
    os.makedirs(KEYS, exist_ok=True)
    with open(KEYS + "/key", "w", encoding="utf-8") as file:
        file.write(key)


def make_pod(name, ip):
    """What a Deployment and a kubelet would have made of the gateway."""
    labels = {"app.kubernetes.io/name": "pilotlight", "app.kubernetes.io/component": "gateway"}
    spec = {"nodeName": "test", "containers": [{"name": "gateway", "image": "pilotlight/gateway"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}
    api.call("POST", api.GATEWAY_PODS, pod)
    api.merge(f"{api.GATEWAY_PODS}/{name}/status", {"status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}})


def ready(name, ip, is_so=True):
    condition = {"type": "Ready", "status": "True" if is_so else "False"}
    api.merge(f"{api.GATEWAY_PODS}/{name}/status", {"status": {"podIP": ip, "conditions": [condition]}})
