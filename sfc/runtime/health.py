"""Health and metrics over HTTP for the roles that have no gateway: ``/livez``, ``/readyz``, ``/metrics``."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from sfc.errors import BadInput

Check = Callable[[], bool]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], live: Check, ready: Check) -> None:
        self.live = live
        self.ready = ready
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10  # seconds that a silent caller may hold a thread

    def do_GET(self) -> None:
        match urlsplit(self.path).path:
            case "/livez":
                self._check(self.server.live)
            case "/readyz":
                self._check(self.server.ready)
            case "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest())
            case path:
                problem = {"title": "not found", "status": 404, "detail": f"{path} is not here; /livez, /readyz and /metrics are"}
                self._answer(404, "application/problem+json", json.dumps(problem).encode())

    def _check(self, check: Check) -> None:
        try:
            good = check()
        except Exception:  # a check that fails is an answer: no
            good = False
        self._answer(200 if good else 503, "application/json", b'{"status":"ok"}' if good else b'{"status":"unavailable"}')

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: probes come every few seconds."""


class HealthServer:
    """Listens from its making on, in a daemon thread. ``port`` is the real one, also where 0 was asked for."""

    def __init__(self, live: Check, ready: Check, *, host: str = "127.0.0.1", port: int = 0) -> None:
        try:
            self._server = _Server((host, port), live, ready)
        except OSError as e:
            hint = "choose another with SFC_PORT, or 0 for a free one"
            raise BadInput(f"can't listen on {host}:{port}: {e.strerror or e}", hint=hint) from e
        self.host = host
        self.port: int = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="sfc-health", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2)
