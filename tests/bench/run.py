"""The numbers of the product, measured: cold and parked starts, and idle memory.

  python3 tests/bench/run.py --bin build/release/bin [--quick]

Prints a table with medians, spread and targets and writes build/bench/results.json. Nothing is asserted: a shared
machine would make such a test lie.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import time

from first_byte import first_byte_ms, percentile
from instance import REPOSITORY, Instance, free_port, listens, pss_mib, wait_until


def by_hand_ms(folder):
    """The Python example started by hand: from the start of the process until it listens."""
    port = free_port()
    begin = time.perf_counter()
    server = subprocess.Popen(["python3", "server.py"], cwd=folder, env={**os.environ, "PORT": str(port)},
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        while not listens(port):
            if server.poll() is not None or time.perf_counter() - begin > 30:
                raise RuntimeError("the Python example does not start by hand")
            time.sleep(0.0002)
        return (time.perf_counter() - begin) * 1000
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def add_copies(instance, example, count, scale=""):
    """Copies of an example under names of their own that go back to zero after a second. Having just been written, they
    are in the page cache: a disk's speed is not what is measured. `scale`: further lines of spec.scale."""
    names = [f"{example}-{i}" for i in range(count)]
    for name in names:
        folder = instance.functions / name
        shutil.copytree(REPOSITORY / "examples" / example, folder)
        text = (folder / "function.yaml").read_text()
        text = text.replace(f"name: {example}\n", f"name: {name}\n").replace("initial: 0", "initial: 0\n    toZeroAfter: 1s" + scale)
        (folder / "function.yaml").write_text(text)
    return names


def cold_starts(binaries, example, runs, beside=None):
    """`runs` cold starts over ten functions in turn. A function is asked again only when no pod of any of them is left;
    `beside` is called before each."""
    with Instance(binaries) as instance:
        names = add_copies(instance, example, min(10, runs))
        instance.start()
        wait_until(lambda: set(names) <= instance.ready(), 30, "the functions are Ready")
        values = []
        while len(values) < runs:
            for name in names[: runs - len(values)]:
                if beside:
                    beside()
                values.append(first_byte_ms("127.0.0.1", instance.port, f"/{name}"))
            wait_until(lambda: not instance.replicas(), 120, "back at zero")
        return values


def parked_starts(binaries, example, runs, beside=None):
    """The same for functions with one replica each, whose handler is started for the request. Also the PSS of a parked shim."""
    with Instance(binaries) as instance:
        names = add_copies(instance, example, min(10, runs), "\n    parked: 1\n    max: 1")
        instance.start()
        values, memory = [], []
        while len(values) < runs:
            wait_until(lambda: instance.parked() >= set(names), 120, "all are parked")
            wait_until(lambda: len(instance.tree()) == 1 + len(names), 120, "their handlers have ended")
            memory.append(pss_mib(instance.tree()[1:]) / len(names))
            for name in names[: runs - len(values)]:
                if beside:
                    beside()
                values.append(first_byte_ms("127.0.0.1", instance.port, f"/{name}"))
        return values, memory


def beside_python_by_hand(starts, binaries, runs):
    hand = []
    folder = REPOSITORY / "examples" / "py-echo"
    return starts(binaries, "py-echo", runs, beside=lambda: hand.append(by_hand_ms(folder))), hand


def idle_functions(binaries, count):
    with Instance(binaries) as instance:
        instance.start()
        manifests = instance.folder / "idle"
        manifests.mkdir()
        for begin in range(0, count, 100):
            documents = [
                "apiVersion: pilotlight.dev/v1alpha1\nkind: Function\n"
                f"metadata: {{name: idle-{i}}}\n"
                "spec: {runtime: exec, handler: [cat], scale: {initial: 0}}\n"
                for i in range(begin, min(begin + 100, count))
            ]
            (manifests / f"{begin:05}.yaml").write_text("---\n".join(documents))
        begin = time.perf_counter()
        instance.cli("apply", "-f", str(manifests))
        wait_until(lambda: len(instance.ready()) >= count, 300, f"{count} Functions are Ready")
        seconds = time.perf_counter() - begin
        time.sleep(3)  # let what the start needed be given back
        return seconds, pss_mib(instance.tree())


def row(name, value, unit, target, spread=""):
    met = "" if target is None else ("yes" if value <= target else "NO")
    return {"name": name, "value": round(value, 2), "unit": unit, "target": target, "met": met, "spread": spread}


def spread_of(values):
    return f"p10 {percentile(values, 0.1):.1f}  p90 {percentile(values, 0.9):.1f}  max {max(values):.1f}"


def measure(binaries, quick):
    runs, python_runs, count = (10, 5, 100) if quick else (100, 50, 1000)
    native = cold_starts(binaries, "hello", runs)
    through, hand = beside_python_by_hand(cold_starts, binaries, python_runs)
    parked, parked_pss = parked_starts(binaries, "hello", runs)
    (parked_python, _), parked_hand = beside_python_by_hand(parked_starts, binaries, python_runs)
    seconds, pss = idle_functions(binaries, count)
    differences = [a - b for a, b in zip(through, hand)]
    parked_differences = [a - b for a, b in zip(parked_python, parked_hand)]
    rows = [
        row(f"cold start, native, p50 of {runs}", statistics.median(native), "ms", 10, spread_of(native)),
        row(f"cold start, native, p99 of {runs}", percentile(native, 0.99), "ms", 25),
        row(f"cold start, Python, p50 of {python_runs}", statistics.median(through), "ms", None, spread_of(through)),
        row(f"Python by hand until it listens, p50 of {python_runs}", statistics.median(hand), "ms", None, spread_of(hand)),
        row("cold start, Python, beyond by hand", statistics.median(differences), "ms", 10, spread_of(differences)),
        row(f"parked to first byte, native, p50 of {runs}", statistics.median(parked), "ms", 20, spread_of(parked)),
        row(f"parked to first byte, native, p99 of {runs}", percentile(parked, 0.99), "ms", None),
        row(f"parked to first byte, Python, p50 of {python_runs}", statistics.median(parked_python), "ms", None, spread_of(parked_python)),
        row("parked to first byte, Python, beyond by hand", statistics.median(parked_differences), "ms", 20, spread_of(parked_differences)),
        row("PSS of a parked shim", statistics.median(parked_pss), "MiB", 3),
        row(f"{count} idle Functions, apply to Ready", seconds, "s", 10),
        row(f"{count} idle Functions, PSS of the tree", pss, "MiB", 150),
    ]
    return rows, {"native_ms": native, "python_ms": through, "python_by_hand_ms": hand, "parked_native_ms": parked,
                  "parked_python_ms": parked_python, "parked_python_by_hand_ms": parked_hand}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of the built programs")
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs, to try the script")
    arguments = parser.parse_args()
    rows, samples = measure(arguments.bin, arguments.quick)

    print(f"{'':52}{'median':>10} {'':4} {'target':>7}  {'met':3}  spread")
    for entry in rows:
        target = "" if entry["target"] is None else f"<= {entry['target']}"
        print(f"{entry['name']:52}{entry['value']:>10.2f} {entry['unit']:4} {target:>7}  {entry['met']:3}  {entry['spread']}")

    results = REPOSITORY / "build" / "bench" / "results.json"
    results.parent.mkdir(parents=True, exist_ok=True)
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "kernel": platform.release()}
    results.write_text(json.dumps({"machine": machine, "rows": rows, "samples": samples}, indent=2) + "\n")
    print(f"written: {results}")


if __name__ == "__main__":
    main()
