"""The gateway beside nginx and haproxy: every round asks each of them in turn."""

import contextlib
import json
import statistics
import subprocess
import time

from instance import free_port
from load import command, load, raw_load, stream
from peers import Gateway, Haproxy, Nginx, NginxLargeBuffers
from report import alone, compared, cpu, throughput


@contextlib.contextmanager
def proxies(bench, backend, **options):
    with Nginx(backend, **options) as nginx, Haproxy(backend, **options) as haproxy, Gateway(bench.binaries, backend) as gateway:
        yield [nginx, haproxy, gateway]


def interleaved(bench, subjects, measure):
    """{name: one value per round}."""
    values = {subject.name: [] for subject in subjects}
    for _ in range(bench.rounds):
        for subject in subjects:
            values[subject.name].append(measure(subject))
    return values


def beside_both(name, samples, at_least):
    ours, nginx, haproxy = samples["gateway"], samples["nginx"], samples["haproxy"]
    return [
        throughput(f"{name}: requests/s", ours, "nginx", nginx, at_least=at_least),
        throughput(f"{name}: requests/s", ours, "haproxy", haproxy, at_least=1.0, goal=True),
        cpu(f"{name}: CPU per request", ours, "nginx", nginx, at_most=1.0),
        cpu(f"{name}: CPU per request", ours, "haproxy", haproxy, at_most=1.0, goal=True),
    ]


def small(bench):
    """1, 16 and 64 keep-alive connections, 100-byte answers; memory after that."""
    backend = free_port()
    rows = []
    with proxies(bench, backend) as subjects:
        for connections in (1, 16, 64):
            samples = interleaved(bench, subjects, lambda p: load(bench, p, backend, connections=connections))
            rows += beside_both(f"gateway, {connections} connections", samples, 1.0)
        memory = {subject.name: [subject.pss_mib()] for subject in subjects}
    rows.append(compared("gateway, PSS after the load", "MiB", memory["gateway"], "nginx", memory["nginx"]))
    rows[-1].target, rows[-1].met = "<= 8 MiB", "yes" if rows[-1].ours <= 8 else "NO"
    rows[-1].spread = f"haproxy {memory['haproxy'][0]:.1f}; the gateway's includes its in-memory cluster"
    return rows


def latency(bench):
    """At half of what nginx can do in this run, open loop."""
    backend = free_port()
    with proxies(bench, backend) as subjects:
        most = statistics.median(load(bench, subjects[0], backend).requests_per_second for _ in range(min(3, bench.rounds)))
        rate = round(most / 2)
        timing = {"seconds": bench.seconds * 2}
        samples = interleaved(bench, subjects, lambda p: load(bench, p, backend, rate=rate, timing=timing))
    us = {name: ([s.p50_us for s in of], [s.p99_us for s in of]) for name, of in samples.items()}
    rows = []
    for peer, goal in (("nginx", False), ("haproxy", True)):
        rows += [
            compared(f"gateway, {rate:,}/s: p50", "us", us["gateway"][0], peer, us[peer][0]),
            compared(f"gateway, {rate:,}/s (nginx's half): p99", "us", us["gateway"][1], peer, us[peer][1], at_most=1.1, goal=goal),
            cpu(f"gateway, {rate:,}/s: CPU per request", samples["gateway"], peer, samples[peer], at_most=1.0, goal=goal),
        ]
    return rows


def bodies(bench):
    """10 KiB and 1 MiB, both ways; also beside an nginx with larger buffers than it has by itself."""
    backend = free_port()
    kinds = [("10 KiB down", {"path": "/10k"}), ("10 KiB up", {"upload": 10 << 10}), ("1 MiB down", {"path": "/1m"}),
             ("1 MiB up", {"upload": 1 << 20})]
    rows = []
    with proxies(bench, backend) as subjects, NginxLargeBuffers(backend) as large:
        for name, kind in kinds:
            samples = interleaved(bench, [*subjects, large], lambda p: load(bench, p, backend, connections=16, **kind))
            rows += beside_both(f"gateway, {name}", samples, 0.9)
            rows.append(throughput(f"gateway, {name}: requests/s", samples["gateway"], large.name, samples[large.name], at_least=0.9,
                                   goal=True))
    return rows


def fresh(bench):
    """A new connection per request."""
    backend = free_port()
    with proxies(bench, backend) as subjects:
        samples = interleaved(bench, subjects, lambda p: load(bench, p, backend, connections=16, fresh=True))
    return beside_both("gateway, new connection per request", samples, 0.9)


def pss_after_small_load(bench, proxy, backend):
    load(bench, proxy, backend, timing={"seconds": 0.5})
    return proxy.pss_mib()


def pss_holding(bench, proxy, backend, count):
    """With so many connections, each of which has made one request and rests."""
    streams = [stream(proxy.port, connections=count, requests=count, rate=2000)]
    holding = command(bench, streams, backends=[f"127.0.0.1:{backend}"], seconds=60, hold=True)
    with subprocess.Popen(holding, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        counted = json.loads(process.stdout.readline())["streams"][0]
        if counted["open_connections"] != count or counted["answered"]["count"] != count:
            raise RuntimeError(f"{proxy.name} does not hold {count} connections: {counted}")
        time.sleep(0.5)
        held = proxy.pss_mib()
        process.stdin.close()
        process.wait(30)
    return held


def idle(bench):
    """Memory of 10,000 idle connections; fresh processes in each round. nginx reserves memory for as many as it is configured
    for: what that is beyond its usual size is counted."""
    count = 1000 if bench.quick else 10_000
    makes = [Nginx, Haproxy, lambda port, **_: Gateway(bench.binaries, port)]
    each, total, later = {}, {}, {}
    for _ in range(bench.rounds):
        for make in makes:
            backend = free_port()
            with make(backend, connections=1024) as usual:
                before = pss_after_small_load(bench, usual, backend)
            with make(backend, connections=int(count * 1.1) + 256) as proxy:  # nginx closes idle ones when a sixteenth is left
                reserved = pss_after_small_load(bench, proxy, backend)
                held = pss_holding(bench, proxy, backend, count)
            each.setdefault(proxy.name, []).append((held - before) * 2**20 / count)
            later.setdefault(proxy.name, []).append((held - reserved) * 2**20 / count)
            total.setdefault(proxy.name, []).append(held)
    name = f"gateway, {count:,} idle connections"
    return [
        compared(f"{name}: each", "B", each["gateway"], "nginx", each["nginx"], at_most=1.0),
        compared(f"{name}: each", "B", each["gateway"], "haproxy", each["haproxy"], at_most=1.0, goal=True),
        compared(f"{name}: each, not reserved before", "B", later["gateway"], "nginx", later["nginx"]),
        compared(f"{name}: PSS", "MiB", total["gateway"], "nginx", total["nginx"]),
    ]


def routing(bench):
    """Requests to all of 10,000 functions in turn, beside all of 10; the same with ten of the 10,000."""
    many, few = (200 if bench.quick else 10_000), 10
    backend = free_port()
    with Gateway(bench.binaries, backend, routes=few) as small_one, Gateway(bench.binaries, backend, routes=many) as large_one:
        measures = [("few", small_one, few), ("all", large_one, many), ("ten", large_one, few)]
        samples = {name: [] for name, _, _ in measures}
        for _ in range(bench.rounds):
            for name, gateway, vary in measures:
                samples[name].append(load(bench, gateway, backend, host="f%.bench", vary=vary))
    rows = []
    for name, what, target in (("all", "all asked in turn", {"at_least": 0.97}), ("ten", "ten of them asked", {})):
        rows.append(throughput(f"routing, {many:,} functions, {what}: requests/s", samples[name], "10 f.", samples["few"], **target))
        rows.append(compared(f"routing, {many:,} functions, {what}: CPU", "us", [s.cpu_us for s in samples[name]], "10 f.",
                             [s.cpu_us for s in samples["few"]]))
    return rows


# --- more than a function can do ---

DELAY_MS, PER_REPLICA, REPLICAS = 10, 4, 2
CAPACITY = PER_REPLICA * REPLICAS * 1000 / DELAY_MS


def limited(backend):
    return [f"127.0.0.{1 + replica}:{backend}/{PER_REPLICA}" for replica in range(REPLICAS)]


def overload(bench):
    """Three times the capacity of a function with handlers of 10 ms."""
    goodput, refusals, over_limit, lost = [], [], 0, 0
    for _ in range(bench.rounds):
        backend = free_port()
        with Gateway(bench.binaries, backend, replicas=REPLICAS, per_replica=PER_REPLICA, queue=100) as gateway:
            streams = [stream(gateway.port, path=f"/100?delay={DELAY_MS}", connections=512, rate=3 * CAPACITY)]
            raw = raw_load(bench, streams, backends=limited(backend), seconds=bench.seconds * 2, warmup=max(bench.warmup, 0.5))
        counted = raw["streams"][0]
        goodput.append(counted["answered"]["count"] / raw["seconds"] / CAPACITY)
        refusals.append(counted["refused"]["p99_us"] / 1000)
        over_limit += raw["backend_over_limit"]
        lost += counted["lost"] + counted["failures"]
        statuses = counted["statuses"]
    return [
        alone(f"overload, 3 x {CAPACITY:.0f}/s: share of the capacity answered", "", goodput, f"last round {statuses}", at_least=0.9),
        alone("overload: p99 of the refusals", "ms", refusals, at_most=10),
        alone("overload: requests beyond a replica's limit", "", [over_limit], at_most=0),
        alone("overload: neither answered nor refused", "", [lost], at_most=0),
    ]


def fairness(bench):
    """Twenty quiet functions alone, and while another one asks for three times the pool that all share."""
    quiet_rate, quiet, pool = 500, 20, 16
    alone_us, beside_us = [], []
    backend = free_port()
    with Gateway(bench.binaries, backend, routes=quiet + 1, queue=100, pool=pool) as gateway:
        path = f"/100?delay={DELAY_MS}"
        calm = stream(gateway.port, path=path, host="f%.bench", vary=quiet, connections=40, rate=quiet_rate)
        flood = stream(gateway.port, path=path, host=f"f{quiet}.bench", connections=512, rate=3 * pool * 1000 / DELAY_MS)
        for _ in range(bench.rounds):
            for streams, into in (([calm], alone_us), ([calm, flood], beside_us)):
                raw = raw_load(bench, streams, backends=[f"127.0.0.1:{backend}"], seconds=bench.seconds * 2)
                counted = raw["streams"][0]
                if counted["refused"]["count"] or counted["lost"]:
                    raise RuntimeError(f"a quiet function is refused: {counted}")
                # A replica takes all that it is given: who is refused has waited for the pool.
                if len(streams) > 1 and not raw["streams"][1]["refused"]["count"]:
                    raise RuntimeError(f"the flood does not exhaust the pool: {raw['streams'][1]}")
                into.append(counted["answered"]["p99_us"])
    return [compared(f"fairness, {quiet} quiet functions beside a flood: p99", "us", beside_us, "alone", alone_us, at_most=2.0)]


ROWS = {"small": small, "latency": latency, "bodies": bodies, "fresh": fresh, "idle": idle, "routing": routing, "overload": overload,
        "fairness": fairness}
