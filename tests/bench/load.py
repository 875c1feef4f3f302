"""Runs bench-load and reads what it counted."""

import json
import subprocess
from dataclasses import dataclass

from peers import LOAD_CPU

LOAD_BOUND = 0.9


@dataclass
class Sample:
    """One run of load over one proxy."""

    requests_per_second: float
    cpu_us: float  # of the proxy, per request
    load_busy: float  # of the core that load and backend share
    p50_us: float
    p99_us: float
    refused: dict  # quantiles of what was not answered with 2xx
    raw: dict


def stream(port, path="/100", host="f0.bench", connections=64, rate=None, upload=None, vary=None, fresh=False, requests=None):
    arguments = ["--to", f"127.0.0.1:{port}", "--path", path, "--host", host, "--connections", connections]
    for flag, value in (("--rate", rate), ("--upload", upload), ("--vary", vary), ("--requests", requests)):
        if value is not None:
            arguments += [flag, value]
    return arguments + (["--fresh"] if fresh else [])


def command(bench, streams, backends=(), watch=None, seconds=None, warmup=None, hold=False):
    arguments = [bench.binaries / "bench-load", "--seconds", seconds or bench.seconds, "--warmup", warmup or bench.warmup]
    if bench.pins:
        arguments += ["--cpu", LOAD_CPU]
    for backend in backends:
        arguments += ["--backend", backend]
    for name, pids in (watch or {}).items():
        arguments += ["--watch", f"{name}={','.join(map(str, pids))}"]
    arguments += ["--hold"] if hold else []
    for index, one in enumerate(streams):
        arguments += (["--and"] if index else []) + one
    return [str(argument) for argument in arguments]


def raw_load(bench, streams, **options):
    done = subprocess.run(command(bench, streams, **options), capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError("bench-load: " + done.stderr)
    return json.loads(done.stdout)


def sample_of(raw, index=0):
    counted = raw["streams"][index]
    if not counted["requests"]:
        raise RuntimeError(f"no request was answered: {counted}")
    watched = raw["watched_cpu_seconds"]
    busy = (raw["cpu_seconds"] + watched.get("backend", 0)) / raw["seconds"]
    return Sample(counted["requests_per_second"], watched.get("proxy", 0) / counted["requests"] * 1e6, busy,
                  counted["answered"]["p50_us"], counted["answered"]["p99_us"], counted["refused"], raw)


def load(bench, proxy, backend=None, backend_pids=(), expect_all=True, timing=None, **of_stream):
    """Load over one proxy. `backend`: the port at which the load answers itself; else it runs elsewhere, as `backend_pids`."""
    watch = {"proxy": proxy.pids()} | ({"backend": backend_pids} if backend_pids else {})
    raw = raw_load(bench, [stream(proxy.port, **of_stream)], backends=[f"127.0.0.1:{backend}"] if backend else [], watch=watch,
                   **(timing or {}))
    counted = raw["streams"][0]
    if expect_all and (counted["refused"]["count"] or counted["failures"] or counted["lost"]):
        raise RuntimeError(f"{proxy.name} did not answer all: {counted}")
    return sample_of(raw)
