"""Asks functions at a steady rate until SIGTERM, and has their handlers say what they ran: so it knows what failed and what ran twice.

    load.py RATE ADDRESS HOST RECORDER      RECORDER: "ip:port" to listen at; handlers ask it /ID before they answer /record/ID

Half of the callers keep their connection, half make one per request. A kept connection that the server closed while it was idle is made
anew, and what was asked over it counts as failed if a handler had run it. Requests are given out in a fixed rhythm; a slow answer keeps
its caller from asking, so the rate falls when answers are slow. The last line: "N requests, F failed, D doubled, slowest S s".
"""
import collections
import http.client
import http.server
import signal
import sys
import threading
import time

CALLERS = 16
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
    def __init__(self, number, period, address, host, recorder, stop):
        super().__init__()
        self.number, self.period, self.address, self.host, self.recorder, self.stop = number, period, address, host, recorder, stop
        self.offset, self.keeps = number * period / CALLERS, number % 2 == 0
        self.connection, self.sent, self.slowest, self.failures, self.unsure = None, 0, 0.0, [], []

    def run(self):
        due = time.monotonic() + self.offset
        while not self.stop.wait(max(0.0, due - time.monotonic())):
            self.request()
            due = max(due + self.period, time.monotonic())

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
        self.connection.request("GET", f"/record/{name}", headers={"Host": self.host, **({} if self.keeps else {"Connection": "close"})})
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
    rate, address, host, place = float(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
    recorder = Recorder(place)
    threading.Thread(target=recorder.serve_forever, daemon=True).start()
    stop = threading.Event()
    for number in signal.SIGTERM, signal.SIGINT:
        signal.signal(number, lambda *_: stop.set())
    callers = [Caller(i, CALLERS / rate, address, host, recorder, stop) for i in range(CALLERS)]
    for caller in callers:
        caller.start()
    stop.wait(RUN_SECONDS)
    stop.set()
    for caller in callers:
        caller.join()
    failures = [failure for caller in callers for failure in caller.failures]
    failures += [f"{name} ran, and its kept connection broke" for caller in callers for name in caller.unsure if recorder.ran[name]]
    doubled = [name for name, count in recorder.ran.items() if count > 1]
    print("\n".join(failures[:20] + [f"{name} ran {recorder.ran[name]} times" for name in doubled[:20]]))
    print(f"{sum(c.sent for c in callers)} requests, {len(failures)} failed, {len(doubled)} doubled, slowest {max(c.slowest for c in callers):.3f} s")
    sys.exit(0 if not doubled and not failures else 1)


main()
