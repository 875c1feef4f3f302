"""A `pilotlight local` for measuring, and what /proc tells about it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def descendants(root):
    """Process ids of the tree, root included."""
    children = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended meanwhile
        children.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def pss_mib(pids):
    """Proportional set size: shared pages are counted once over all that share them."""
    total = 0
    for pid in pids:
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            continue
    return total / 1024


class Instance:
    """Serves `self.functions`; its output goes to a file in its folder."""

    def __init__(self, binaries):
        self.program = Path(binaries).resolve() / "pilotlight"
        self.folder = Path(tempfile.mkdtemp(prefix="pilotlight-bench-"))
        self.functions = self.folder / "functions"
        self.functions.mkdir()
        self.port = free_port()
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *arguments):
        environment = {**os.environ, "PILOTLIGHT_HOME": str(self.folder / "state")}
        return {"args": [str(self.program), *arguments], "env": environment}

    def start(self):
        log = open(self.folder / "log", "wb")
        command = self.command("local", "-f", str(self.functions), "--listen", f"127.0.0.1:{self.port}")
        self.process = subprocess.Popen(**command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: listens(self.port) or self.process.poll() is not None, 30, "pilotlight local listens")
        if self.process.poll() is not None:
            raise RuntimeError("pilotlight local ended:\n" + (self.folder / "log").read_text())

    def cli(self, *arguments):
        return subprocess.run(**self.command(*arguments), check=True, capture_output=True, text=True).stdout

    def ready(self):
        """Names of the Functions that are Ready."""
        table = [line.split() for line in self.cli("get", "functions").splitlines()[1:]]
        return {row[0] for row in table if row[1] == "True"}

    def replicas(self):
        """Names of the Functions that have a pod, going ones included."""
        pods = json.loads(self.cli("get", "pods", "-o", "json")).get("items", [])
        return {pod["metadata"]["labels"].get("pilotlight.dev/function") for pod in pods}

    def parked(self):
        """Names of the Functions all of whose replicas are parked."""
        functions = json.loads(self.cli("get", "functions", "-o", "json")).get("items", [])
        status = {function["metadata"]["name"]: function.get("status", {}) for function in functions}
        return {name for name, each in status.items() if 0 < each.get("replicas", 0) == each.get("parkedReplicas", 0)}

    def tree(self):
        return descendants(self.process.pid)
