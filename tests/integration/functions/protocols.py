"""An HTTP server that shows what a helpful one would hide: interim answers, trailers, when each byte was read and written, and
WebSockets (RFC 6455). The standard library alone; what it does is in the path."""

import base64
import hashlib
import os
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

gates = {}  # name: Event; set by a request to /open/NAME
gates_lock = threading.Lock()


def gate(name):
    with gates_lock:
        return gates.setdefault(name, threading.Event())


class WebSocket:
    TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

    def __init__(self, handler):
        self.read, self.write = handler.rfile.read, handler.wfile.write

    @staticmethod
    def accept_key(key):
        return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()

    def receive(self):
        """(opcode, payload) of a frame; (None, b"") at the end of the connection. Unmasked frames are an error of the client's."""
        head = self.read(2)
        if len(head) < 2:
            return None, b""
        if not head[0] & 0x80 or not head[1] & 0x80:
            raise ValueError("a frame that is not final, or not masked")
        size = head[1] & 0x7F
        if size == 126:
            size, = struct.unpack("!H", self.read(2))
        elif size == 127:
            size, = struct.unpack("!Q", self.read(8))
        mask, payload = self.read(4), self.read(size)
        key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        return head[0] & 0x0F, (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")

    def send(self, opcode, payload):
        size = len(payload)
        length = bytes([size]) if size < 126 else struct.pack("!BH", 126, size) if size < 65536 else struct.pack("!BQ", 127, size)
        self.write(bytes([0x80 | opcode]) + length + payload)


class Protocols(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        word, _, argument = self.path[1:].partition("/")
        getattr(self, word)(argument)

    do_POST = do_GET

    def handle_expect_100(self):
        return True  # told by what serves the path

    def answer(self, body, fields=()):
        self.send_response(200)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def open(self, name):
        gate(name).set()
        self.answer(b"open")

    def websocket(self, _):
        """Echoes messages. On "bye" closes; the end of the client's direction is answered by a last text."""
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", WebSocket.accept_key(self.headers["Sec-WebSocket-Key"]))
        self.end_headers()
        self.close_connection = True
        peer = WebSocket(self)
        while True:
            opcode, payload = peer.receive()
            if opcode is None:
                return peer.send(WebSocket.TEXT, b"you have closed")
            if opcode == WebSocket.PING:
                peer.send(WebSocket.PONG, payload)
            elif opcode == WebSocket.CLOSE:
                return peer.send(WebSocket.CLOSE, payload)
            elif payload == b"bye":
                peer.send(WebSocket.CLOSE, struct.pack("!H", 1000) + b"bye")
                opcode, payload = peer.receive()
                print("closed", opcode, payload.hex(), flush=True)
                return
            elif payload == b"ping me":
                peer.send(WebSocket.PING, b"are you there")
                opcode, payload = peer.receive()
                peer.send(WebSocket.TEXT, b"got %d %b" % (opcode, payload))
            else:
                peer.send(opcode, payload)

    def events(self, name):
        """Server-sent events: the second one is written only once the gate is open."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.close_connection = True
        self.wfile.write(b"data: 1\n\n")
        gate(name).wait(60)
        self.wfile.write(b"data: 2\n\n")

    def trailers(self, _):
        """Tells the request's trailers, and sends some."""
        body, fields = b"", []
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while line := self.rfile.readline().strip():
            fields.append(line)
        text = body + b" with " + b", ".join(fields)
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Trailer", "X-Took")
        self.end_headers()
        self.wfile.write(b"%x\r\n%b\r\n0\r\nX-Took: 5\r\n\r\n" % (len(text), text))

    def hints(self, name):
        """103 Early Hints; the answer comes once the gate is open."""
        self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        gate(name).wait(60)
        self.answer(b"page")

    def body(self, _):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def hop(self, _):
        self.answer(b"fine", [("Connection", "X-Hop"), ("X-Hop", "1"), ("X-Stays", "1")])

    def stream(self, _):
        """Sends the body back as it comes, from one buffer."""
        left = int(self.headers["Content-Length"])
        self.send_response(200)
        self.send_header("Content-Length", str(left))
        self.end_headers()
        buffer = memoryview(bytearray(1 << 20))
        while left > 0:
            size = self.rfile.readinto1(buffer[:min(left, len(buffer))])
            if size == 0:
                raise ConnectionError("the request broke off")
            self.connection.sendall(buffer[:size])
            left -= size

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


if __name__ == "__main__":
    Server(("", int(os.environ["PORT"])), Protocols).serve_forever()
