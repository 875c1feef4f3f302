"""What is measured: gateway and shim, and the proxies they are measured against, each on the core for proxies.

Every one is a context manager with `port`, `pids()` and `pss_mib()`.
"""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from instance import descendants, free_port, listens, pss_mib, wait_until

PROXY_CPU, LOAD_CPU = 0, 1


def pinned(command, cpu):
    return ["taskset", "-c", str(cpu), *map(str, command)] if os.cpu_count() > 1 else [*map(str, command)]


def answers(port, request):
    """Whether a request is answered with a 2xx: then the whole path behind is there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(request)
            return connection.recv(64).startswith(b"HTTP/1.1 2")
    except OSError:
        return False


class Process:
    """A program on the core for proxies, in a folder of its own that goes with it."""

    name = ""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="pilotlight-bench-"))
        self.port = free_port()
        self.process = None

    def launch(self):
        """Starts it and returns when it answers."""
        raise NotImplementedError

    def start(self, command, environment=None, stdout=None):
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(pinned(command, PROXY_CPU), stdin=subprocess.DEVNULL, stdout=stdout or log, stderr=log,
                                            env={**os.environ, **(environment or {})}, cwd=self.folder)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def await_listening(self, seconds=10):
        def listening():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended:\n{self.log()}")
            return listens(self.port)

        wait_until(listening, seconds, f"{self.name} listens")

    def __enter__(self):
        try:
            self.launch()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def pids(self):
        return descendants(self.process.pid)

    def pss_mib(self):
        return pss_mib(self.pids())


class Nginx(Process):
    """One worker, kept-alive connections to the backend, bodies streamed both ways; /itself answers without a backend."""

    name = "nginx"
    buffers = ""

    def __init__(self, backend, connections=1024):
        super().__init__()
        self.backend, self.connections = backend, connections

    def launch(self):
        (self.folder / "nginx.conf").write_text(f"""
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {self.folder}/pid;
error_log {self.folder}/error.log crit;
{"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections {self.connections}; }}
http {{
  access_log off;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_temp_path {self.folder}/body;
  proxy_temp_path {self.folder}/proxy;
  fastcgi_temp_path {self.folder}/fastcgi;
  uwsgi_temp_path {self.folder}/uwsgi;
  scgi_temp_path {self.folder}/scgi;
  upstream backend {{
    server 127.0.0.1:{self.backend};
    keepalive 256;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }}
  server {{
    listen 127.0.0.1:{self.port} backlog=4096;
    location = /itself {{ default_type text/plain; return 200 "{'x' * 100}"; }}
    location / {{
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
      {self.buffers}
    }}
  }}
}}
""")
        self.start(["nginx", "-p", self.folder, "-e", self.folder / "error.log", "-c", self.folder / "nginx.conf"])
        self.await_listening()
        wait_until(lambda: len(self.pids()) == 2, 5, "nginx has its worker")


class NginxLargeBuffers(Nginx):
    """Faster with large bodies, for more memory per request."""

    name = "nginx+"
    buffers = "client_body_buffer_size 128k; proxy_buffers 8 32k; proxy_buffer_size 32k;"


class Haproxy(Process):
    """One thread, connections to the backend shared by all clients."""

    name = "haproxy"

    def __init__(self, backend, connections=1024):
        super().__init__()
        self.backend, self.connections = backend, connections

    def launch(self):
        (self.folder / "haproxy.cfg").write_text(f"""
global
  nbthread 1
  maxconn {self.connections}
  no strict-limits
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
  http-reuse always
frontend clients
  bind 127.0.0.1:{self.port} backlog 4096
  default_backend servers
backend servers
  server only 127.0.0.1:{self.backend}
""")
        self.start(["haproxy", "-db", "-f", self.folder / "haproxy.cfg"])
        self.await_listening()


class Gateway(Process):
    """One event loop. Function I has the host fI.bench; replica K of each is at 127.0.0.(K+1)."""

    name = "gateway"

    def __init__(self, binaries, backend, routes=1, replicas=1, per_replica=1000, queue=1000, pool=None, prefix=()):
        super().__init__()
        self.command = [*prefix, binaries / "bench-gateway", "--loops", 1, "--access-log", "off", "--routes", routes,
                        "--per-replica", per_replica, "--queue", queue]
        if pool is not None:
            self.command += ["--pool", pool]
        for replica in range(replicas):
            self.command += ["--backend", f"127.0.0.{1 + replica}:{backend}"]

    def launch(self):
        self.start(self.command, stdout=subprocess.PIPE)
        ready, _, _ = select.select([self.process.stdout], [], [], 180)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            raise RuntimeError(f"bench-gateway does not start:\n{self.log()}")
        self.port = json.loads(line)["port"]


class Shim(Process):
    """A shim with its handler."""

    name = "shim"

    def __init__(self, binaries, runtime, handler, handler_port=None, prefix=(), seconds=10):
        super().__init__()
        self.runtime, self.seconds = runtime, seconds
        self.command = [*prefix, binaries / "pilotlight-shim", "--", *handler]
        self.environment = {
            "PILOTLIGHT_FUNCTION": "f",
            "PILOTLIGHT_NAMESPACE": "default",
            "PILOTLIGHT_VERSION": "1",
            "PILOTLIGHT_RUNTIME": runtime,
            "PILOTLIGHT_CONCURRENCY": "100",
            "PILOTLIGHT_LISTEN": f"127.0.0.1:{self.port}",
            "PILOTLIGHT_GATEWAYS": "",
        }
        if handler_port:
            self.environment["PORT"] = str(handler_port)

    def launch(self):
        self.start(self.command, self.environment)
        request = b"GET /100 HTTP/1.1\r\nHost: f\r\nConnection: close\r\n\r\n"
        wait_until(lambda: self.process.poll() is not None or answers(self.port, request), self.seconds,
                   f"the {self.runtime} shim answers")
        if self.process.poll() is not None:
            raise RuntimeError(f"the shim ended:\n{self.log()}")

    def pids(self):
        """Without the handler of the http runtime, which is not ours; the native host is ours."""
        return [pid for pid in super().pids() if not command_of(pid).startswith("bench-backend")]

    def handler_pids(self):
        return [pid for pid in descendants(self.process.pid) if command_of(pid).startswith("bench-backend")]


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
