"""The test as the kubelet: starts a real shim for each pod of a function, with the environment that its template says."""
import os
import signal
import subprocess
import threading

import api
from programs import BIN


class Kubelet:
    """Says that a pod runs as soon as its process does, and that it is ready never (`ready` False): then only the shim's own
    call tells the gateways."""

    def __init__(self, ready=True):
        self.ready = ready
        self.started = []  # names of pods
        self._shims = {}   # uid -> process
        self._next = 1
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self):
        self._stopping.set()
        self._thread.join()
        for shim in self._shims.values():
            shim.kill()
            shim.wait()

    def _run(self):
        while not self._stopping.wait(0.01):
            pods = {pod["metadata"]["uid"]: pod for pod in api.items(api.PODS + "?labelSelector=pilotlight.dev/function")}
            for uid, pod in pods.items():
                if uid not in self._shims and "deletionTimestamp" not in pod["metadata"]:
                    self._start(uid, pod)
                elif "deletionTimestamp" in pod["metadata"]:
                    self._end(uid, pod)
            for uid in [uid for uid in self._shims if uid not in pods]:
                self._end(uid, None)

    def _start(self, uid, pod):
        name = pod["metadata"]["name"]
        ip = f"127.77.{self._next // 200}.{self._next % 200 + 1}"
        self._next += 1
        container = pod["spec"]["containers"][0]
        fields = {"metadata.uid": uid, "metadata.name": name, "metadata.namespace": pod["metadata"]["namespace"],
                  "status.podIPs": ip}
        environment = {"PATH": os.environ["PATH"], "PILOTLIGHT_LISTEN": f"{ip}:8012"}
        for entry in container["env"]:
            source = entry.get("valueFrom")
            environment[entry["name"]] = fields[source["fieldRef"]["fieldPath"]] if source else entry.get("value", "")
        command = ["setpriv", "--pdeathsig", "KILL", f"{BIN}/pilotlight-shim", *container["args"]]
        assert container["command"] == ["/pilotlight/pilotlight-shim"], container["command"]
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": {"kind": "Node", "name": "test"}}
        api.call("POST", f"{api.PODS}/{name}/binding", binding)
        self.started.append(name)  # before it can answer
        self._shims[uid] = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        conditions = [{"type": "Ready", "status": "True"}] if self.ready else []
        api.merge(f"{api.PODS}/{name}/status",
                  {"status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": conditions}})

    def _end(self, uid, pod):
        shim = self._shims.pop(uid, None)
        if shim is not None:
            shim.send_signal(signal.SIGTERM)
            try:
                shim.wait(30)
            except subprocess.TimeoutExpired:
                shim.kill()
                shim.wait()
        if pod is not None:
            api.delete(f"{api.PODS}/{pod['metadata']['name']}", grace=0, uid=uid)
