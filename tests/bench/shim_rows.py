"""The shim in each of its runtimes, and instructions per request of shim and gateway."""

import contextlib
import json
import subprocess
import time

from gateway_rows import interleaved
from instance import free_port, pss_mib
from load import load, raw_load, stream
from peers import LOAD_CPU, PROXY_CPU, Gateway, Nginx, Shim, pinned
from report import alone, compared, cpu, throughput

OF_WATCHDOG_STREAMING = 555  # requests/s, one connection; published elsewhere, on another machine


def native_handler(bench):
    return [bench.binaries / "libbench-native-handler.so", "handle"]


def backend_handler(bench):
    return [bench.binaries / "bench-backend", *(["--cpu", LOAD_CPU] if bench.pins else [])]


def native(bench):
    """A native handler that answers 100 bytes, beside nginx that answers them itself."""
    rows = []
    with Nginx(free_port()) as nginx, Shim(bench.binaries, "native", native_handler(bench)) as shim:
        for connections in (1, 16, 64):
            samples = interleaved(bench, [nginx, shim], lambda p: load(bench, p, path="/itself", connections=connections))
            name = f"shim, native, {connections} connections"
            rows.append(throughput(f"{name}: requests/s", samples["shim"], "nginx", samples["nginx"], at_least=0.8))
            rows.append(cpu(f"{name}: CPU per request", samples["shim"], "nginx", samples["nginx"]))
        rows.append(alone("shim, native: PSS after the load, with its host", "MiB", [shim.pss_mib()]))
    return rows


def spawn_floor(bench):
    command = pinned([bench.binaries / "bench-spawn-floor", bench.seconds, "cat"], PROXY_CPU)
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["requests_per_second"]


def exec_(bench):
    """One process per request: `cat`, beside posix_spawn of it in a loop."""
    floor, rates = [], []
    with Shim(bench.binaries, "exec", ["cat"]) as shim:
        for _ in range(bench.rounds):
            floor.append(spawn_floor(bench))
            rates.append(load(bench, shim, connections=1, upload=100).requests_per_second)
    return [
        compared("shim, exec, cat, 1 connection: requests/s", "1/s", rates, "floor", floor, at_least=0.7),
        compared("shim, exec, cat: of-watchdog's, published elsewhere", "1/s", rates, "publ.", [OF_WATCHDOG_STREAMING] * len(rates)),
    ]


@contextlib.contextmanager
def http_shim(bench, **options):
    port = free_port()
    with Shim(bench.binaries, "http", backend_handler(bench), handler_port=port, **options) as shim:
        yield shim, port


def http(bench):
    """In front of a server, beside nginx in front of the same one."""
    rows = []
    with http_shim(bench) as (shim, port), Nginx(port) as nginx:
        time.sleep(1)
        idle = shim.pss_mib()
        backend = shim.handler_pids()
        for connections in (1, 16, 64):
            samples = interleaved(bench, [nginx, shim], lambda p: load(bench, p, backend_pids=backend, connections=connections))
            name = f"shim, http, {connections} connections"
            rows.append(throughput(f"{name}: requests/s", samples["shim"], "nginx", samples["nginx"], at_least=1.0))
            rows.append(cpu(f"{name}: CPU per request", samples["shim"], "nginx", samples["nginx"]))
        rows.append(alone("shim, http: PSS idle", "MiB", [idle], f"after the load {shim.pss_mib():.2f}", at_most=3))
    return rows


# --- instructions per request ---


def instructions(folder):
    """All that callgrind counted, over the processes that it followed."""
    total = 0
    for dump in folder.glob("callgrind.out.*"):
        for line in dump.read_text(errors="replace").splitlines():
            if line.startswith(("summary:", "totals:")):
                total += int(line.split()[1])
                break
    return total


def counted_instructions(bench, make, requests, backend=None, **of_stream):
    """Of a process that is started, answers so many requests, and ends."""
    prefix = ["valgrind", "--tool=callgrind", "--quiet", "--callgrind-out-file=callgrind.out.%p", "--trace-children=yes",
              "--trace-children-skip=*/bench-backend,*/cat,*/taskset"]
    with make(prefix) as subject:
        raw = raw_load(bench, [stream(subject.port, connections=16, requests=requests, **of_stream)],
                       backends=[f"127.0.0.1:{backend}"] if backend else [], seconds=120)
        counted = raw["streams"][0]
        if counted["answered"]["count"] != requests:
            raise RuntimeError(f"{subject.name} under callgrind did not answer all: {counted}")
        subject.stop()
        return instructions(subject.folder)


def per_request(bench, make, few, many, **options):
    """What more requests add: starting and ending drop out."""
    return (counted_instructions(bench, make, many, **options) - counted_instructions(bench, make, few, **options)) / (many - few)


def callgrind(bench):
    """Instructions per warm request, of our processes alone and outside the kernel: they hardly vary."""
    few, many = (200, 600) if bench.quick else (1000, 5000)
    backend, handler_port = free_port(), free_port()
    binaries = bench.binaries
    subjects = [
        ("gateway", lambda p: Gateway(binaries, backend, prefix=p), few, many, {"backend": backend}),
        ("shim, native", lambda p: Shim(binaries, "native", native_handler(bench), prefix=p, seconds=60), few, many, {}),
        ("shim, http", lambda p: Shim(binaries, "http", backend_handler(bench), handler_port, p, 60), few, many, {}),
        ("shim, exec", lambda p: Shim(binaries, "exec", ["cat"], prefix=p, seconds=60), few // 10, many // 10, {"upload": 100}),
    ]
    return [alone(f"{name}: instructions per warm request", "", [per_request(bench, make, small, large, **options)])
            for name, make, small, large, options in subjects]


ROWS = {"native": native, "exec": exec_, "http": http, "callgrind": callgrind}
