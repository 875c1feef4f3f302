"""What /proc, the metrics and the pods tell of a running instance; and killing its replicas."""

import os
import random
import signal
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from instance import descendants


@dataclass
class Kill:
    time: float
    wall: str
    function: str
    processes: frozenset  # the shim and all below it, as they were just before


def status_number(pid, name):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


def shims(instance):
    """{function: [pid]} of the replicas that run. What a shim has just forked still looks like it, but has another parent."""
    found = {}
    for pid in instance.tree():
        try:
            if status_number(pid, "PPid") != instance.process.pid or b"pilotlight-shim" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                continue
            for variable in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                name, _, value = variable.partition(b"=")
                if name == b"PILOTLIGHT_FUNCTION":
                    found.setdefault(value.decode(), []).append(pid)
        except OSError:
            continue  # it has ended meanwhile
    return found


def kill_one(instance):
    """SIGKILL to a random replica of a function that has others."""
    candidates = {function: pids for function, pids in shims(instance).items() if len(pids) > 1}
    if not candidates:
        return None
    function = random.choice(sorted(candidates))
    victim = random.choice(candidates[function])
    processes = frozenset(descendants(victim))
    begin, wall = time.monotonic(), time.strftime("%H:%M:%S")
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        return None
    return Kill(begin, wall, function, processes)


@dataclass
class Sample:
    resident_mib: float
    descriptors: int
    threads: int
    replicas: int
    replicas_mib: float

    def __str__(self):
        return (f"pilotlight {self.resident_mib:.0f} MiB, {self.descriptors} descriptors, {self.threads} threads; "
                f"{self.replicas} replicas {self.replicas_mib:.0f} MiB")


def sample(instance):
    pid = instance.process.pid
    replicas = [pid for pids in shims(instance).values() for pid in pids]
    total = 0
    for replica in replicas:
        try:
            total += status_number(replica, "VmRSS")
        except OSError:
            continue
    return Sample(status_number(pid, "VmRSS") / 1024, len(os.listdir(f"/proc/{pid}/fd")), status_number(pid, "Threads"), len(replicas),
                  total / 1024)


def metrics(instance):
    """{series: value} of the gateway; its address is in what the instance has printed."""
    for line in (instance.folder / "log").read_text(errors="replace").splitlines():
        if line.startswith("Metrics: "):
            text = urllib.request.urlopen(line.split()[1], timeout=10).read().decode()
            return {name: float(value) for name, _, value in (row.rpartition(" ") for row in text.splitlines() if row[:1] not in "#")}
    raise RuntimeError("the instance has not told where its metrics are")
