"""An HTTP server that answers with what it was sent, in chunks if that came in chunks, and can be upgraded to an echo of bytes.

Writes a line "LABEL PID" per request into $RECORD_FILE before it begins to answer.
"""

import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def record(label):
    fd = os.open(os.environ["RECORD_FILE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(fd, f"{label} {os.getpid()}\n".encode())
    os.close(fd)


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True

    def do_GET(self):
        record(self.headers.get("X-Request-Label"))
        if self.headers.get("Upgrade") == "echo":
            return self.tunnel()
        size = int(self.path.partition("size=")[2] or 0)
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        while size > 0:
            part = min(size, 65536)
            self.wfile.write(b"x" * part)
            size -= part

    def do_POST(self):
        record(self.headers.get("X-Request-Label"))
        chunked = self.headers.get("Transfer-Encoding") == "chunked"
        self.send_response(200)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", self.headers.get("Content-Length") or "0")
        self.end_headers()
        for part in self.chunks() if chunked else self.parts():
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def parts(self):
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0:
            part = self.rfile.read1(min(left, 65536))
            if not part:
                raise ConnectionError("the request broke off")
            left -= len(part)
            yield part

    def chunks(self):
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers

    def tunnel(self):
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "echo")
        self.end_headers()
        self.wfile.flush()
        while part := self.rfile.read1(65536):
            self.wfile.write(part)
            self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)
        self.close_connection = True

    def log_message(self, format, *args):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients that leave


if __name__ == "__main__":
    Server(("", int(os.environ["PORT"])), Echo).serve_forever()
