"""An HTTP handler for the shim's tests. What it does is in the path."""
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

if os.environ.get("START_DELAY"):
    time.sleep(float(os.environ["START_DELAY"]))

if os.environ.get("CHILD"):  # which knows no SIGHUP
    CHILD = subprocess.Popen(["sleep", "1000"])

SECRET = ""


def read_secret(*_):
    global SECRET
    with open(os.environ["SECRET_FILE"]) as file:
        SECRET = file.read()


if os.environ.get("SECRET_FILE"):
    read_secret()
    signal.signal(signal.SIGHUP, read_secret)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, status=200, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        word, _, argument = self.path[1:].partition("/")
        if word == "sleep":
            time.sleep(float(argument))
            self.answer(b"slept")
        elif word == "crash":
            os._exit(3)
        elif word == "pid":
            self.answer(str(os.getpid()).encode())
        elif word == "headers":
            self.answer("".join(f"{k}: {v}\n" for k, v in self.headers.items()).encode(),
                        headers=[("X-Pilotlight-Refused", "starting"), ("X-pilotlight-Error", "x"), ("X-Mine", "yes")])
        elif word == "hop":
            self.answer(b"", headers=[("Connection", "X-Hop, keep-alive"), ("X-Hop", "1"), ("Connection", "x-other"), ("X-Other", "1"),
                                      ("X-Stays", "1"), ("Keep-Alive", "timeout=5"), ("Proxy-Authenticate", "Basic")])
        elif word == "garbage":
            self.wfile.write(b"no http at all\r\n\r\n")
            self.close_connection = True
        elif word == "escape":  # leaves a process in another session
            child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
            self.answer(str(child.pid).encode())
        elif word == "orphan":  # leaves a process that ends at once and belongs to nobody
            subprocess.run(["sh", "-c", "true & true &"])
            self.answer(b"ok")
        elif word == "secret":
            self.answer(SECRET.encode())
        elif word == "child":
            self.answer(b"gone" if CHILD.poll() is not None else b"there")
        elif word == "ready":
            self.answer(b"", 200 if time.time() - STARTED > 0.2 else 503)
        else:
            self.answer(b"hello")

    do_HEAD = do_GET

    def do_POST(self):
        """Echoes the body, part by part."""
        left = int(self.headers["Content-Length"])
        self.send_response(200)
        self.send_header("Content-Length", str(left))
        self.end_headers()
        while left > 0:
            part = self.rfile.read1(min(left, 65536))
            left -= len(part)
            self.wfile.write(part)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def server_bind(self):  # without the look-up of the host's name
        self.socket.setsockopt(1, 2, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.server_address


STARTED = time.time()
print("handler speaks", flush=True)
Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
