"""Serving the gateway: uvicorn in a thread, with a handle that stops it."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import uvicorn

from sfc.errors import BadInput, SfcError

START_S_MAX = 10.0
LEAVE_S = 2  # how long open requests may finish when it stops


class Server:
    """Listens from its making on. ``port`` is the real one, also where 0 was asked for. Raises BadInput when the address is taken."""

    def __init__(self, app: Any, host: str, port: int) -> None:
        self._socket = _listen(host, port)
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=LEAVE_S, server_header=False, ws="none"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="sfc-gateway", daemon=True)
        self._thread.start()
        until = time.monotonic() + START_S_MAX
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > until:
                raise SfcError(f"the gateway did not start on {self.url}", hint="its log says why")
            time.sleep(0.005)

    @property
    def url(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, f"[{self.host}]" if ":" in self.host else self.host)
        return f"http://{host}:{self.port}"

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Takes no more requests, lets open ones finish for a moment, and ends the thread."""
        self._server.should_exit = True
        self._thread.join(LEAVE_S + 3)
        self._socket.close()


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as e:
        listening.close()
        raise BadInput(
            f"can't listen on {host}:{port}: {e.strerror or e}", hint="choose another with --port or SFC_PORT, or 0 for a free one"
        ) from e
    return listening


def serve(app: Any, host: str, port: int) -> Server:
    """Runs the application until ``stop``."""
    return Server(app, host, port)
