"""Mixed load for a long time on a real `pilotlight local`, whose replicas are killed at random.

  python3 tests/soak/soak.py --bin build/debug/bin --recorder build/debug/tests/support/librecorder.so --seconds 3600

Prints every minute what came of the requests and what the gateway's process holds, and at the end a verdict, which is also the
exit code. It passes when every answer was as docs/faults.md says, requests failed only with the replica that had them, memory
and descriptors stayed flat, no sanitizer had anything to tell, and everything ended in order.
"""

import argparse
import collections
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "bench"))

import scenarios  # noqa: E402
import watch  # noqa: E402
from instance import Instance, wait_until  # noqa: E402

SETTLED = 45  # seconds after the start from which on memory must be flat; at least a tenth of the run
BROKEN = ("502", "cut")  # how a request may end whose replica was killed

SPEC = """apiVersion: pilotlight.dev/v1alpha1
kind: Function
metadata: {{name: {name}}}
spec:
  {what}
  replicas: 3
  timeout: 60s
  concurrency: {{perReplica: 30, queue: {{wait: 60s, requests: 10000}}}}
  http: {{limits: {{body: 100Mi}}}}
  env: [{{name: RECORD_FILE, value: "{record}"}}]
"""


class Ledger:
    """Every outcome, counted; those that were not right are kept. Thread-safe."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.wrong = []

    def add(self, outcome):
        with self.lock:
            self.counts[outcome.scenario, outcome.result] += 1
            if not outcome.right and len(self.wrong) < 100_000:
                self.wrong.append(outcome)

    def total(self):
        with self.lock:
            return sum(self.counts.values())


def add_functions(instance, recorder, records):
    files = {"fast": [recorder], "echo": [HERE / "functions/echo.py"], "pipe": [HERE / "functions/pipe.sh"]}
    what = {"fast": "runtime: native\n  handler: [librecorder.so, handle]", "echo": "runtime: http\n  handler: [python3, echo.py]",
            "pipe": "runtime: exec\n  handler: [./pipe.sh]"}
    for name, needed in files.items():
        folder = instance.functions / name
        folder.mkdir()
        for file in needed:
            shutil.copy(file, folder / Path(file).name.replace(Path(recorder).name, "librecorder.so"))
        (folder / "function.yaml").write_text(SPEC.format(name=name, what=what[name], record=records / name))


def wait_until_served(instance):
    def ready():
        try:
            return {"fast", "echo", "pipe"} <= instance.ready()
        except subprocess.CalledProcessError:
            return False  # the gateway listens before the API does
    wait_until(ready, 120, "the functions are Ready")
    wait_until(lambda: all(len(pids) == 3 for pids in watch.shims(instance).values()), 60, "three replicas of each")


def killing(instance, kills, every, stop):
    while not stop.wait(every * (0.5 + random.random())):
        if kill := watch.kill_one(instance):
            kills.append(kill)


def recorded(records, labels):
    """{label: {pid}}: which replicas the handlers say had these requests."""
    found = {}
    for file in records.iterdir():
        with open(file, errors="replace") as lines:
            for line in lines:
                label, _, pid = line.strip().partition(" ")
                if label in labels:
                    found.setdefault(label, set()).add(int(pid))
    return found


def unexplained(ledger, kills, records):
    """The outcomes that neither the docs nor a kill explain, each with the reason."""
    broken = [outcome for outcome in ledger.wrong if outcome.result in BROKEN]
    owners = recorded(records, {outcome.label for outcome in broken})
    strange = [(outcome, "not allowed") for outcome in ledger.wrong if outcome.result not in BROKEN]
    for outcome in broken:
        near = [kill for kill in kills if kill.function == outcome.function and outcome.begin - 1 <= kill.time <= outcome.end]
        owner = owners.get(outcome.label, set())
        if not near:
            strange.append((outcome, "no replica of its function was killed then"))
        elif owner and not any(owner & kill.processes for kill in near):
            strange.append((outcome, f"it was at {owner}, which was not killed"))
    return broken, strange


def flat(samples, settled_at):
    """Whether memory and descriptors have stopped growing: the last third against what came after the start."""
    later = [sample for at, sample in samples if at >= settled_at]
    if len(later) < 3:
        return True, "too short to tell"
    third = len(later) // 3
    first = max(sample.resident_mib for sample in later[:third])
    last = sum(sample.resident_mib for sample in later[-third:]) / third
    return last <= first * 1.15 + 16, f"{first:.0f} MiB at most in the first third, {last:.0f} MiB on average in the last"


def sanitizer_reports(folder):
    return [f"{file.name}: {file.read_text(errors='replace')[:2000]}" for file in folder.glob("sanitizer.*")]


class Soak:
    def __init__(self, options, instance):
        self.options, self.instance = options, instance
        self.ledger, self.kills, self.samples = Ledger(), [], []
        self.records = instance.folder / "records"
        self.stop = threading.Event()
        self.begin = 0.0
        self.running, self.gone = {}, []

    def run(self):
        self.records.mkdir()
        add_functions(self.instance, self.options.recorder, self.records)
        self.instance.start()
        wait_until_served(self.instance)
        before = watch.sample(self.instance)
        print(f"started: {before}", flush=True)
        self.begin = time.monotonic()
        clients = [threading.Thread(target=scenarios.play, args=(self.instance.port, self.ledger.add, self.stop, self.options.only))
                   for _ in range(self.options.clients)]
        killer = threading.Thread(target=killing, args=(self.instance, self.kills, self.options.kill_every, self.stop))
        for thread in (*clients, killer):
            thread.start()
        try:
            self.look_on()
        finally:
            self.stop.set()
            for thread in (*clients, killer):
                thread.join()
        return self.verdict(before)

    def look_on(self):
        minutes = 0
        while (elapsed := time.monotonic() - self.begin) < self.options.seconds:
            time.sleep(min(5, self.options.seconds - elapsed))
            if self.instance.process.poll() is not None:
                print("pilotlight local has ended by itself")
                return
            self.miss()
            self.samples.append((time.monotonic() - self.begin, watch.sample(self.instance)))
            if int(self.samples[-1][0] / 60) > minutes:
                minutes = int(self.samples[-1][0] / 60)
                print(f"minute {minutes}: {self.ledger.total()} outcomes, {len(self.kills)} kills; {self.samples[-1][1]}", flush=True)

    def miss(self):
        """Replicas that have ended although nobody killed them."""
        now = {pid: function for function, pids in watch.shims(self.instance).items() for pid in pids}
        killed = set().union(*(kill.processes for kill in self.kills))
        for pid in self.running.keys() - now.keys() - killed:
            self.gone.append(f"replica {pid} of {self.running[pid]} ended by itself after {time.monotonic() - self.begin:.0f} s")
        self.running = now

    def verdict(self, before):
        findings = self.gone
        if self.instance.process.poll() is None:
            findings += self.left_behind(before)
        findings += self.end()
        broken, strange = unexplained(self.ledger, self.kills, self.records)
        by_result = collections.Counter()
        for (scenario, result), count in sorted(self.ledger.counts.items()):
            by_result[result] += count
            print(f"  {scenario:16}{result:10}{count}")
        print("outcomes: " + ", ".join(f"{result} {count}" for result, count in by_result.most_common()))
        print(f"{len(self.kills)} replicas killed; {len(broken)} requests broke with them, {len(strange)} outcomes are unexplained")
        for outcome, why in strange[:20]:
            at = [f"{kill.time - outcome.begin:+.2f}" for kill in self.kills if kill.function == outcome.function]
            print(f"  {why}: {outcome}; kills of its function, in seconds from its begin: {' '.join(at)}")
        settled_at = max(SETTLED, self.options.seconds / 10)
        is_flat, how = flat(self.samples, settled_at)
        print(f"memory after {settled_at:.0f} s: {how}")
        findings += [] if is_flat else ["memory grows"]
        findings += ["unexplained outcomes"] if strange else []
        findings += sanitizer_reports(self.instance.folder)
        print("VERDICT: " + ("passed" if not findings else "FAILED: " + "; ".join(findings)))
        return not findings

    def left_behind(self, before):
        """What is still held when nobody asks for anything any more."""
        def held():
            values = watch.metrics(self.instance)
            return sum(value for name, value in values.items() if name.startswith(("pilotlight_gateway_in_flight", "pilotlight_gateway_queued")))
        findings = []
        deadline = time.monotonic() + 20
        while held() > 0 and time.monotonic() < deadline:
            time.sleep(0.2)
        if held() > 0:
            findings.append(f"{held()} requests still in flight or queued")
        for function in ("fast", "echo", "pipe"):
            lines = self.instance.cli("logs", function, "--tail", "1000", "--timestamps", "--prefix").splitlines()
            (self.instance.folder / f"{function}.log").write_text("\n".join(lines))
            findings += [f"{function} says: {line[:1000]}" for line in lines if "Sanitizer" in line or "runtime error" in line]
        time.sleep(2)
        after = watch.sample(self.instance)
        print(f"afterwards: {after}")
        if after.descriptors > before.descriptors + 100:  # connections to replicas stay for their next request
            findings.append(f"{after.descriptors} descriptors open, {before.descriptors} at the start")
        return findings

    def end(self):
        tree = self.instance.tree()
        self.instance.process.terminate()
        try:
            code = self.instance.process.wait(60)
        except Exception:
            return ["it does not end"]
        findings = [] if code == 0 else [f"exit code {code}: " + (self.instance.folder / "log").read_text(errors="replace")[-2000:]]
        left = [pid for pid in tree if Path(f"/proc/{pid}").exists() and b"pilotlight" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return findings + ([f"processes {left} are left"] if left else [])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of the programs, built with sanitizers")
    parser.add_argument("--recorder", required=True, help="librecorder.so of tests/support")
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--clients", type=int, default=24, help="at the same time")
    parser.add_argument("--kill-every", type=float, default=7, help="seconds, on average")
    parser.add_argument("--keep", help="a folder for the logs of a run that fails")
    parser.add_argument("--only", nargs="*", default=(), help="scenarios; default: all")
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    random.seed(options.seed)
    with Instance(options.bin) as instance:
        # A small quarantine: memory must be seen to be flat within minutes.
        os.environ["ASAN_OPTIONS"] = f"quarantine_size_mb=8:log_path={instance.folder}/sanitizer:detect_leaks=1"
        os.environ["UBSAN_OPTIONS"] = f"print_stacktrace=1:log_path={instance.folder}/sanitizer"
        soak = Soak(options, instance)
        passed = soak.run()
        if not passed and options.keep:
            (instance.folder / "kills").write_text("\n".join(map(str, soak.kills)))
            shutil.copytree(instance.folder, options.keep, dirs_exist_ok=True)
        return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
