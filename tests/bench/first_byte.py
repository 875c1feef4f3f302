"""How long a first byte takes, for the benches of local mode and of a cluster."""

import socket
import time


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def first_byte_ms(ip, port, target, host="localhost", timeout=30):
    """From the first byte of the request to the first byte of the answer, over a connection that is already there."""
    with socket.create_connection((ip, port), timeout=timeout) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        begin = time.perf_counter()
        connection.sendall(request)
        answer = connection.recv(4096)
        took = (time.perf_counter() - begin) * 1000
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{host}{target}: {answer[:300]!r}")
    return took
