"""Asks one function at a steady rate until SIGTERM, or for 30 minutes, then says how many requests failed, and the first ones how.

    load.py RATE ADDRESS HOST

Half of the callers keep their connection, half make one per request. Like any client, those that keep one ask again when the server
closed it while it was idle. A request fails when its answer is not 200, or does not come within a minute.
"""
import http.client
import signal
import sys
import threading
import time

CALLERS = 8
REQUEST_SECONDS = 60
RUN_SECONDS = 1800


class Caller(threading.Thread):
    def __init__(self, number, period, address, host, stop):
        super().__init__()
        self.offset, self.period, self.address, self.host, self.stop = number * period / CALLERS, period, address, host, stop
        self.keeps = number % 2 == 0
        self.connection = None
        self.sent, self.slowest, self.failures = 0, 0.0, []

    def run(self):
        due = time.monotonic() + self.offset
        while not self.stop.wait(max(0.0, due - time.monotonic())):
            self.request()
            due = max(due + self.period, time.monotonic())  # what is late is not caught up with

    def request(self):
        self.sent += 1
        began = time.monotonic()
        try:
            status, body = self.answer()
            if status != 200:
                raise OSError(f"{status} {body[:200]!r}")
        except (OSError, http.client.HTTPException) as error:
            self.drop()
            self.failures.append(f"{time.strftime('%T')} after {time.monotonic() - began:.3f} s: {error!r}")
        self.slowest = max(self.slowest, time.monotonic() - began)

    def answer(self):
        reused = self.connection is not None
        try:
            return self.exchange()
        except (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected):
            if not reused:
                raise
            self.drop()
            return self.exchange()

    def exchange(self):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.address, timeout=REQUEST_SECONDS)
        self.connection.request("GET", "/?name=load", headers={"Host": self.host, **({} if self.keeps else {"Connection": "close"})})
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
    rate, address, host = float(sys.argv[1]), sys.argv[2], sys.argv[3]
    stop = threading.Event()
    for number in signal.SIGTERM, signal.SIGINT:
        signal.signal(number, lambda *_: stop.set())
    callers = [Caller(i, CALLERS / rate, address, host, stop) for i in range(CALLERS)]
    for caller in callers:
        caller.start()
    stop.wait(RUN_SECONDS)
    stop.set()
    for caller in callers:
        caller.join()
    failures = [failure for caller in callers for failure in caller.failures]
    print(f"{sum(c.sent for c in callers)} requests, {len(failures)} failed, slowest {max(c.slowest for c in callers):.3f} s")
    print("\n".join(failures[:20]))
    sys.exit(1 if failures else 0)


main()
