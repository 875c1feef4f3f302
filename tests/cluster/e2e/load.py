"""Asks one function at a steady rate until SIGTERM, or for 30 minutes, then says how many requests failed, and the first ones how.

    load.py RATE ADDRESS HOST [--callers N] [--recorder IP:PORT]

Half of the callers keep their connection, half make one per request. Like any client, those that keep one ask again when the server
closed it while it was idle. A request fails when its answer is not 200, or does not come within a minute. A slow answer keeps its caller
from asking, so the rate falls when answers are slow. The last line: "N requests, F failed, slowest S s".

With a recorder, which listens there, requests are for /record/ID, and the handler asks the recorder for /ID before it answers: so it is
known what ran twice, which the last line then tells as "D doubled", and what ran over a kept connection that broke counts as failed.
"""
import argparse
import collections
import http.client
import http.server
import signal
import sys
import threading
import time

REQUEST_SECONDS = 60
RUN_SECONDS = 1800


class Recorder(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address):
        self.ran = collections.Counter()
        self.lock = threading.Lock()
        ip, port = address.rsplit(":", 1)
        super().__init__((ip, int(port)), RecordCall)


class RecordCall(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with self.server.lock:
            self.server.ran[self.path[1:]] += 1
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Caller(threading.Thread):
    def __init__(self, number, arguments, stop):
        super().__init__()
        self.number, self.address, self.host, self.records, self.stop = number, arguments.address, arguments.host, arguments.recorder, stop
        self.period = arguments.callers / arguments.rate
        self.offset, self.keeps = number / arguments.rate, number % 2 == 0
        self.connection, self.sent, self.slowest, self.failures, self.unsure = None, 0, 0.0, [], []

    def run(self):
        due = time.monotonic() + self.offset
        while not self.stop.wait(max(0.0, due - time.monotonic())):
            self.request()
            due = max(due + self.period, time.monotonic())  # what is late is not caught up with

    def request(self):
        began = time.monotonic()
        try:
            status, body = self.answer()
            if status != 200:
                raise OSError(f"{status} {body[:300]!r}")
        except (OSError, http.client.HTTPException) as error:
            self.drop()
            self.failures.append(f"{time.strftime('%T')} after {time.monotonic() - began:.3f} s: {error!r}")
        self.slowest = max(self.slowest, time.monotonic() - began)

    def answer(self):
        while True:
            reused = self.connection is not None
            name = f"{self.number}-{self.sent}"
            self.sent += 1
            try:
                return self.exchange(name)
            except (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected):
                self.drop()
                if not reused:
                    raise
                self.unsure.append(name)

    def exchange(self, name):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.address, timeout=REQUEST_SECONDS)
        self.connection.request("GET", f"/record/{name}" if self.records else "/?name=load", headers={"Host": self.host, **({} if self.keeps else {"Connection": "close"})})
        response = self.connection.getresponse()
        body = response.read()
        if response.will_close or not self.keeps:
            self.drop()
        return response.status, body

    def drop(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rate", type=float, help="requests a second")
    parser.add_argument("address")
    parser.add_argument("host")
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--recorder", metavar="IP:PORT", help="where to listen for what handlers say")
    arguments = parser.parse_args()
    recorder = Recorder(arguments.recorder) if arguments.recorder else None
    if recorder:
        threading.Thread(target=recorder.serve_forever, daemon=True).start()
    stop = threading.Event()
    for number in signal.SIGTERM, signal.SIGINT:
        signal.signal(number, lambda *_: stop.set())
    callers = [Caller(i, arguments, stop) for i in range(arguments.callers)]
    for caller in callers:
        caller.start()
    stop.wait(RUN_SECONDS)
    stop.set()
    for caller in callers:
        caller.join()
    ran = recorder.ran if recorder else {}
    failures = [failure for caller in callers for failure in caller.failures]
    failures += [f"{name} ran, and its kept connection broke" for caller in callers for name in caller.unsure if name in ran]
    doubled = [name for name, count in ran.items() if count > 1]
    print("\n".join(failures[:20] + [f"{name} ran {ran[name]} times" for name in doubled[:20]]))
    twice = f" {len(doubled)} doubled," if recorder else ""
    print(f"{sum(c.sent for c in callers)} requests, {len(failures)} failed,{twice} slowest {max(c.slowest for c in callers):.3f} s")
    sys.exit(1 if failures or doubled else 0)


main()
