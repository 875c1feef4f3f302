#!/usr/bin/env python3
"""Measures the shim's start: from starting the process to its call home, the first request after that, and the end.

usage: measure_start.py path/to/pilotlight-shim runtime runs handler [argument...]
"""
import os
import signal
import socket
import statistics
import subprocess
import sys
import time

shim, runtime, runs, handler = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
address = ("127.0.99.1", 8012)
gateway = socket.create_server(("127.0.0.1", 0))
gateway.settimeout(10)
env = dict(os.environ, PILOTLIGHT_RUNTIME=runtime, PILOTLIGHT_LISTEN="%s:%d" % address, PILOTLIGHT_PARENT_PID=str(os.getpid()),
           PILOTLIGHT_GATEWAYS="127.0.0.1:%d" % gateway.getsockname()[1])
home, first, end = [], [], []
for _ in range(runs):
    start = time.perf_counter()
    process = subprocess.Popen([shim, "--", *handler], env=env, stdout=subprocess.DEVNULL)
    call, _ = gateway.accept()
    called = time.perf_counter()
    call.recv(4096)
    call.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    call.close()
    client = socket.create_connection(address)
    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    client.recv(4096)
    answered = time.perf_counter()
    client.close()
    stopping = time.perf_counter()
    process.send_signal(signal.SIGTERM)
    process.wait()
    home.append(called - start)
    first.append(answered - called)
    end.append(time.perf_counter() - stopping)
for name, values in (("start to call-home", home), ("first request", first), ("SIGTERM to exit", end)):
    values = sorted(1e3 * value for value in values)
    print("%-20s p50 %6.2f ms   p99 %6.2f ms" % (name, statistics.median(values), values[int(len(values) * 0.99)]))
