"""Rows of results: a table for people, JSON for what comes after."""

import json
import os
import platform
import statistics
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from load import LOAD_BOUND


@dataclass
class Row:
    name: str
    unit: str
    ours: float
    peer_name: str = ""
    peer: float = None
    ratio: float = None  # median of the rounds' ratios, ours / peer
    target: str = ""
    met: str = ""
    spread: str = ""
    samples: dict = field(default_factory=dict)


def spread_of(values, digits=2):
    return f"{min(values):.{digits}f}..{max(values):.{digits}f}"


def judge(value, at_least=None, at_most=None, goal=False):
    """(target, met) as they are printed. A goal is where the project wants to be, not what is asked now."""
    if at_least is None and at_most is None:
        return "", ""
    target = f">= {at_least}" if at_most is None else f"<= {at_most}"
    good = value >= at_least if at_most is None else value <= at_most
    return ("goal " if goal else "") + target, "yes" if good else ("no" if goal else "NO")


def compared(name, unit, ours, peer_name, peer, note="", digits=2, **target):
    """Values of the rounds, side by side: what the rounds have in common drops out of their ratios."""
    ratios = [a / b for a, b in zip(ours, peer)]
    ratio = statistics.median(ratios)
    wanted, met = judge(ratio, **target)
    spread = spread_of(ratios) + (f"  {note}" if note else "")
    return Row(name, unit, statistics.median(ours), peer_name, statistics.median(peer), ratio, wanted, met, spread,
               {"ours": ours, peer_name: peer})


def alone(name, unit, values, note="", **target):
    value = statistics.median(values)
    wanted, met = judge(value, **target)
    spread = (spread_of(values) if len(values) > 1 else "") + (f"  {note}" if note else "")
    return Row(name, unit, value, target=wanted, met=met, spread=spread, samples={"ours": values})


def throughput(name, ours, peer_name, peer, at_least=None, goal=False):
    """Requests per second of two lists of samples, and the CPU that each cost. Where the load's core had no time left, its
    rate is only a lower bound, and the CPU decides."""
    rate = compared(name, "1/s", [s.requests_per_second for s in ours], peer_name, [s.requests_per_second for s in peer],
                    at_least=at_least, goal=goal)
    if statistics.median([s.load_busy for s in ours]) > LOAD_BOUND or statistics.median([s.load_busy for s in peer]) > LOAD_BOUND:
        by_cpu = statistics.median([b.cpu_us / a.cpu_us for a, b in zip(ours, peer)])
        rate.met = judge(by_cpu, at_least=at_least, goal=goal)[1]
        rate.spread += f"  (load-bound; by CPU {by_cpu:.2f})"
    rate.samples |= {"load_busy": [s.load_busy for s in ours], f"load_busy_{peer_name}": [s.load_busy for s in peer]}
    return rate


def cpu(name, ours, peer_name, peer, at_most=None, goal=False):
    return compared(name, "us", [s.cpu_us for s in ours], peer_name, [s.cpu_us for s in peer], at_most=at_most, goal=goal)


def number(value):
    return "" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"


HEADER = f"{'':58}{'ours':>10} {'':5}{'peer':>10} {'':8}{'ratio':>6} {'target':>12}  met  spread of the rounds"


def line_of(row):
    return (f"{row.name:58}{number(row.ours):>10} {row.unit:5}{number(row.peer):>10} {row.peer_name:8}{number(row.ratio):>6} "
            f"{row.target:>12}  {row.met:3}  {row.spread}").rstrip()


def busy_shares(seconds=1.0):
    """What the machine's cores do while nothing is asked of them; and what the hypervisor takes."""

    def read():
        lines = [line.split() for line in Path("/proc/stat").read_text().splitlines() if line.startswith("cpu") and line[3].isdigit()]
        return [[int(value) for value in line[1:9]] for line in lines]

    before = read()
    time.sleep(seconds)
    changes = [[b - a for a, b in zip(*pair)] for pair in zip(before, read())]
    return [1 - (change[3] + change[4]) / max(1, sum(change)) for change in changes]


def machine():
    return {"cpus": os.cpu_count(), "machine": platform.machine(), "kernel": platform.release()}


def write(path, rows, settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine(), **settings, "rows": [asdict(row) for row in rows]}, indent=2) + "\n")
