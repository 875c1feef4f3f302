"""A client on plain sockets that sees what others hide: which byte was the last, and how a connection ended."""

import select
import socket
import struct
import subprocess
import time

PATIENCE = 150  # seconds without anything moving: longer than a function's queue.wait and timeout together. Then something hangs


class Failed(Exception):
    """An answer that is not one: `kind` is cut, refused or hang."""

    def __init__(self, kind, detail=""):
        super().__init__(f"{kind} {detail}")
        self.kind = kind


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


class Client:
    def __init__(self, port):
        self.received = b""
        try:
            self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        except OSError as error:
            raise Failed("refused", str(error)) from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Failed("cut", f"sending: {error}") from error

    def read_some(self):
        try:
            data = self.socket.recv(65536)
        except TimeoutError as error:
            raise Failed("hang", f"{len(self.received)} bytes came; {self.sockets()}") from error
        except OSError as error:
            raise Failed("cut", str(error)) from error
        self.received += data
        return data

    def sockets(self):
        """Both ends of the connection as the kernel sees them: what waits where."""
        port = self.socket.getsockname()[1]
        shown = subprocess.run(["ss", "-Htinoe", f"( sport = :{port} or dport = :{port} )"], capture_output=True, text=True, check=False)
        return " / ".join(shown.stdout.split("\n"))

    def take(self, size):
        while len(self.received) < size:
            if not self.read_some():
                raise Failed("cut", f"{len(self.received)} of {size} bytes")
        taken, self.received = self.received[:size], self.received[size:]
        return taken

    def take_line(self):
        while (end := self.received.find(b"\r\n")) < 0:
            if not self.read_some():
                raise Failed("cut", "in a line")
        return self.take(end + 2)[:-2]

    def head(self):
        status = int(self.take_line().split()[1])
        headers = {}
        while line := self.take_line():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return status, headers

    def answer(self):
        status, headers = self.head()
        while 100 <= status < 200 and status != 101:
            status, headers = self.head()
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            while size := int(self.take_line(), 16):
                body += self.take(size)
                self.take(2)
            while self.take_line():
                pass
        elif "content-length" in headers:
            body = self.take(int(headers["content-length"]))
        elif status not in (101, 204, 304):
            while self.read_some():
                pass
            body, self.received = self.received, b""
        return Answer(status, headers, body)

    def exchange(self, data):
        """Sends while it receives, as an echo of a large body needs it; then gives the answer."""
        view = memoryview(data)
        sent, quiet_since = 0, time.monotonic()
        self.socket.setblocking(False)
        try:
            while sent < len(view):
                readable, writable, _ = select.select([self.socket], [self.socket], [], 1)
                if time.monotonic() - quiet_since > PATIENCE:
                    raise Failed("hang", f"{sent} of {len(view)} bytes sent")
                if readable:
                    if not self.read_some():
                        break  # answered, or cut: what has come tells
                    quiet_since = time.monotonic()
                if writable:
                    try:
                        sent += self.socket.send(view[sent:sent + 262144])
                        quiet_since = time.monotonic()
                    except BlockingIOError:
                        pass
                    except OSError:
                        break
        finally:
            self.socket.setblocking(True)
            self.socket.settimeout(PATIENCE)
        return self.answer()
