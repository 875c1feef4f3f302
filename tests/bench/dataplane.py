"""The data plane, measured beside its peers: gateway and shim, nginx and haproxy, in turn in every round of the same run.

  python3 tests/bench/dataplane.py --bin build/release/bin [--quick] [--rounds N] [--only NAME]... [--list]

What is measured has one core, load and backend have the other. Rates and latencies of a shared machine are noisy: ratios
are taken round by round, their median and range are told, and CPU per request is the steadier number. Prints a table and
writes build/bench/dataplane.json. Nothing is asserted.
"""

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

import gateway_rows
import report
import shim_rows
from instance import REPOSITORY

EXPERIMENTS = gateway_rows.ROWS | shim_rows.ROWS


@dataclass
class Bench:
    binaries: Path
    rounds: int
    seconds: float  # of one measurement
    warmup: float
    quick: bool

    @property
    def pins(self):
        return os.cpu_count() > 1


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", help="folder of the built programs")
    parser.add_argument("--only", action="append", choices=EXPERIMENTS, help="these experiments; may be repeated")
    parser.add_argument("--rounds", type=int, help="default 5")
    parser.add_argument("--seconds", type=float, help="of one measurement; default 2")
    parser.add_argument("--quick", action="store_true", help="one short round, to try the script")
    parser.add_argument("--out", help="where the JSON goes")
    parser.add_argument("--list", action="store_true", help="the experiments")
    arguments = parser.parse_args()
    if not arguments.list and not arguments.bin:
        parser.error("--bin is needed")
    return arguments


def main():
    arguments = parse()
    if arguments.list:
        for name, experiment in EXPERIMENTS.items():
            print(f"{name:10} {experiment.__doc__.strip()}")
        return
    bench = Bench(Path(arguments.bin).resolve(), arguments.rounds or (1 if arguments.quick else 5),
                  arguments.seconds or (0.5 if arguments.quick else 2), 0.2 if arguments.quick else 0.3, arguments.quick)
    os.environ["PATH"] += ":/usr/sbin"  # where Debian has nginx and haproxy
    started = time.monotonic()
    busy = [report.busy_shares()]
    rows = []
    print(report.HEADER, flush=True)
    for name in arguments.only or EXPERIMENTS:
        for row in EXPERIMENTS[name](bench):
            rows.append(row)
            print(report.line_of(row), flush=True)
    busy.append(report.busy_shares())
    others = ", then ".join(" and ".join(f"{share:.0%}" for share in shares) for shares in busy)
    if max(max(shares) for shares in busy) > 0.05:
        print(f"This machine was not quiet: others took {others} of its cores before and after. The numbers mean little.")
    results = Path(arguments.out or REPOSITORY / "build" / "bench" / ("dataplane-part.json" if arguments.only else "dataplane.json"))
    report.write(results, rows, {"rounds": bench.rounds, "seconds": bench.seconds, "busy_with_others": busy})
    print(f"{time.monotonic() - started:.0f} s; written: {results}")


if __name__ == "__main__":
    main()
