"""What clients do. Each scenario makes requests and tells for each of them how it ended and whether that was right."""

import itertools
import random
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from http_client import PATIENCE, Answer, Client, Failed

ECHOING = ("echo", "pipe")  # functions that answer with the body
ALL = ("fast", "echo", "pipe")

labels = itertools.count()


@dataclass
class Outcome:
    scenario: str
    function: str
    label: str
    begin: float
    end: float
    result: str  # the status, or cut, refused, hang, aborted
    right: bool  # what docs/faults.md promises when nothing is killed
    detail: str = ""


class Reporter:
    """Collects the outcomes of one scenario; thread-safe as a whole through `sink`."""

    def __init__(self, scenario, sink):
        self.scenario, self.sink = scenario, sink

    def ask(self, function, act, right=lambda answer: answer.status == 200, label=None):
        """Runs act(label) and reports; None when there was no whole answer."""
        label, begin = label or f"r{next(labels)}", time.monotonic()
        answer, result, good, detail = None, "", False, ""
        try:
            answer = act(label)
            good = right(answer)
            result = str(answer.status)
            if not good:
                detail = f"{answer.headers} {answer.body[:300]!r} of {len(answer.body)} bytes"
        except Failed as failure:
            result, detail = failure.kind, str(failure)
        self.sink(Outcome(self.scenario, function, label, begin, time.monotonic(), result, good, detail))
        return answer

    def aborted(self, function, begin):
        self.sink(Outcome(self.scenario, function, "", begin, time.monotonic(), "aborted", True))


def head(method, function, label, path="", fields="", version="1.1"):
    return f"{method} /{function}{path} HTTP/{version}\r\nHost: localhost\r\nX-Request-Label: {label}\r\n{fields}\r\n".encode()


def body_of(size):
    return random.randbytes(min(size, 4096)) * (size // 4096 + 1) if size > 4096 else random.randbytes(size)


def post(function, label, body):
    return head("POST", function, label, fields=f"Content-Length: {len(body)}\r\n") + body


def chunked(function, label, body):
    data = bytearray(head("POST", function, label, fields="Transfer-Encoding: chunked\r\n"))
    at = 0
    while at < len(body):
        size = random.choice((1, 7, 100, 4096, 70000))
        part = body[at:at + size]
        data += b"%x\r\n%b\r\n" % (len(part), part)
        at += size
    return bytes(data) + b"0\r\nX-Sum: 1\r\n\r\n"


def same(body):
    return lambda answer: answer.status == 200 and answer.body == body


def kept_alive(port, report):
    """Small requests one after the other over one connection."""
    with Client(port) as client:
        for _ in range(random.randint(1, 50)):
            function = "fast" if random.random() < 0.9 else "echo"
            answer = report.ask(function, lambda label: client.exchange(head("GET", function, label)))
            if answer is None or answer.headers.get("connection") == "close":
                return


def pipelined(port, report):
    with Client(port) as client:
        names = [f"r{next(labels)}" for _ in range(5)]
        client.send(b"".join(head("GET", "fast", name) for name in names))
        for name in names:
            if report.ask("fast", lambda _: client.answer(), label=name) is None:
                return


def new_connection(port, report):
    function = random.choice(ALL)
    def act(label):
        with Client(port) as client:
            return client.exchange(head("GET", function, label, fields="Connection: close\r\n"))
    report.ask(function, act)


def http10(port, report):
    def act(label):
        with Client(port) as client:
            return client.exchange(head("GET", "echo", label, "?size=3000", version="1.0"))
    report.ask("echo", act, same(b"x" * 3000))


def small_echo(port, report):
    with Client(port) as client:
        for _ in range(random.randint(1, 10)):
            function, body = random.choice(ECHOING), body_of(random.randint(0, 3000))
            if report.ask(function, lambda label: client.exchange(post(function, label, body)), same(body)) is None:
                return


def large_echo(port, report):
    function, body = random.choice(ECHOING), body_of(random.randint(100_000, 4_000_000))
    encode = random.choice((post, chunked))
    with Client(port) as client:
        report.ask(function, lambda label: client.exchange(encode(function, label, body)), same(body))


def slow_sender(port, report):
    function, body = random.choice(ECHOING), body_of(random.randint(20, 20_000))
    def act(label):
        with Client(port) as client:
            data = post(function, label, body)
            step = len(data) // 20 + 1
            for at in range(0, len(data), step):
                client.send(data[at:at + step])
                time.sleep(random.random() * 0.1)
            return client.answer()
    report.ask(function, act, same(body))


def slow_reader(port, report):
    size = random.randint(500_000, 3_000_000)
    def act(label):
        with Client(port) as client:
            client.send(head("GET", "echo", label, f"?size={size}"))
            client.read_some()
            while client.received.startswith(b"HTTP/1.1 200 ") and len(client.received) < size // 2:
                time.sleep(0.02)
                if not client.read_some():
                    break
            return client.answer()
    report.ask("echo", act, same(b"x" * size))


def upgraded(port, report):
    def act(label):
        with Client(port) as client:
            client.send(head("GET", "echo", label, fields="Connection: Upgrade\r\nUpgrade: echo\r\n"))
            answer = client.answer()
            if answer.status != 101:
                return answer
            for _ in range(random.randint(1, 20)):
                part = body_of(random.randint(1, 10_000))
                client.send(part)
                answer.body += b"" if client.take(len(part)) == part else b"wrong"
                time.sleep(random.random() * 0.05)
            client.socket.shutdown(1)
            while client.read_some():
                pass
            answer.body += client.received
            return answer
    report.ask("echo", act, lambda answer: answer.status == 101 and answer.body == b"")


def curl_http2(port, function, label, body):
    with tempfile.TemporaryDirectory() as folder:
        sent, taken = Path(folder, "sent"), Path(folder, "taken")
        sent.write_bytes(body)
        done = subprocess.run(
            ["curl", "--silent", "--http2-prior-knowledge", "--max-time", str(PATIENCE), "--header", f"X-Request-Label: {label}",
             "--data-binary", f"@{sent}", "--output", taken, "--write-out", "%{http_code}", f"http://127.0.0.1:{port}/{function}"],
            capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed({7: "refused", 28: "hang"}.get(done.returncode, "cut"), f"curl: {done.returncode}")
        return Answer(int(done.stdout), {}, taken.read_bytes() if taken.exists() else b"")


def http2(port, report):
    function, body = random.choice(ECHOING), body_of(random.choice((10, 3000, 300_000)))
    report.ask(function, lambda label: curl_http2(port, function, label, body), same(body))


def aborting(port, report):
    """Leaves somewhere in the middle, by a close or a reset."""
    function, begin = random.choice(ALL), time.monotonic()
    data = post(function, f"r{next(labels)}", body_of(random.randint(0, 300_000)))
    try:
        with Client(port) as client:
            client.send(data[:random.choice((0, 10, 80, len(data) // 2, len(data)))])
            if random.random() < 0.5:
                client.socket.settimeout(random.random() * 0.05 + 0.001)
                client.read_some()
            if random.random() < 0.5:
                client.reset()
    except Failed:
        pass
    report.aborted(function, begin)


def refused(port, report):
    """What must be answered with a status of the gateway's own."""
    data, status = random.choice((
        (b"GET /nobody HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /fast/../fast HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / FTP/1.1\r\n\r\n", 400),
        (b"POST /fast HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /fast HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999\r\n\r\n", 413),
        (b"GET /fast HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
    ))
    def act(_):
        with Client(port) as client:
            return client.exchange(data)
    report.ask("", act, lambda answer: answer.status == status)


WEIGHTS = {kept_alive: 30, pipelined: 5, new_connection: 15, http10: 3, small_echo: 15, large_echo: 8, slow_sender: 5,
           slow_reader: 4, upgraded: 5, http2: 4, aborting: 15, refused: 5}


def play(port, sink, stop: threading.Event, only=()):
    """One client after the other, until told to stop."""
    kinds = [kind for kind in WEIGHTS if not only or kind.__name__ in only]
    weights = [WEIGHTS[kind] for kind in kinds]
    while not stop.is_set():
        scenario = random.choices(kinds, weights)[0]
        try:
            scenario(port, Reporter(scenario.__name__, sink))
        except Failed as failure:  # no connection
            now = time.monotonic()
            sink(Outcome(scenario.__name__, "", "", now, now, failure.kind, False, str(failure)))
