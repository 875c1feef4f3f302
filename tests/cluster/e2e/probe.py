"""A handler that tells what it sees: /file/PATH, /env/NAME, /sleep/SECONDS, /remembered: what the file $REMEMBER had when it started or was
last told (SIGHUP); any other path: the pod it is in."""
import os
import signal
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


remembered = ""


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def remember(*_):
    global remembered
    remembered = read(os.environ["REMEMBER"])


def seen(path):
    what, _, rest = path.strip("/").partition("/")
    if what == "file":
        return read("/" + rest)
    if what == "remembered":
        return remembered
    if what == "env":
        return os.environ.get(rest, "")
    if what == "sleep":
        time.sleep(float(rest))
    return os.environ["HOSTNAME"]


class Probe(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        try:
            status, body = 200, seen(self.path)
        except OSError as error:
            status, body = 404, str(error)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


if "REMEMBER" in os.environ:
    remember()
    signal.signal(signal.SIGHUP, remember)


class Server(ThreadingHTTPServer):
    request_queue_size = 128


Server(("", int(os.environ["PORT"])), Probe).serve_forever()
