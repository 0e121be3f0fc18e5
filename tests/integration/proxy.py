"""A TCP proxy on loopback that can be away, and can keep answers to itself."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit


class Proxy:
    """In front of ``url``. ``stop`` closes the door and all connections; ``start`` opens it again, on the same port."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._target = (where.hostname or "127.0.0.1", where.port or 9200)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.swallowed = threading.Event()
        self._swallow_after = 0  # bulk requests whose answers pass, and then one whose answer does not; 0: all pass
        self._bulks = 0
        self._door: socket.socket | None = None
        self._open: list[socket.socket] = []
        self.start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        self._door = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._accept, args=(self._door,), daemon=True).start()

    def stop(self) -> None:
        door, self._door = self._door, None
        opened, self._open = self._open, []
        for one in (*([door] if door else []), *opened):
            _shut(one)

    def swallow(self, number: int) -> None:
        """From now on: the answer to the bulk request of this number does not come through, and none after it. ``swallowed`` says when."""
        self.swallowed.clear()
        self._bulks, self._swallow_after = 0, number

    def pass_all(self) -> None:
        self._swallow_after = 0

    def _accept(self, door: socket.socket) -> None:
        while True:
            try:
                client, _ = door.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            self._open += [client, server]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, target, source is client), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, asks: bool) -> None:
        try:
            while data := source.recv(65_536):
                if asks:
                    self._bulks += data.startswith(b"PUT /_bulk")
                elif self._swallow_after and self._bulks >= self._swallow_after:
                    self.swallowed.set()
                    continue
                target.sendall(data)
        except OSError:
            pass
        finally:
            _shut(source)
            _shut(target)


def _shut(one: socket.socket) -> None:
    with suppress(OSError):  # the other end was quicker
        one.shutdown(socket.SHUT_RDWR)
    one.close()
