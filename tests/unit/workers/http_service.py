"""A real HTTP server on the loopback, whose answers a test scripts, and a worker that calls it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from sfc_workers.common import CommonWorker
from sfc_workers.secrets import Secrets

from sfc.adapters.embedded import EmbeddedLog
from sfc.ports import Partition, Record, TopicSpec
from sfc.runtime.definitions import Definitions
from sfc.wire import headers
from sfc.wire.definitions import BlueprintVersion, Definition, TaskVersion, encode_definition, key_of
from sfc.wire.jobs import rfc3339
from sfc.wire.topics import Names, core_topics

NAMES = Names("t")


class Asked(NamedTuple):
    """A request as the server got it. ``headers`` by lower-case names."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Said(NamedTuple):
    """An answer to give. ``body``: bytes as they are, anything else as JSON. ``after_s``: how long the server thinks."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = {}
    after_s: float = 0.0


class Service:
    """``answer`` gives what is said to each request; ``asked`` are all of them."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], Said] = lambda asked: Said()
        self.cut_off = 0  # answers that nobody read to their end
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (BrokenPipeError, ConnectionResetError):
                    service.cut_off += 1
                    self.close_connection = True

            def serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                found = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, found, self.rfile.read(length))
                service.asked.append(asked)
                said = service.answer(asked)
                time.sleep(said.after_s)
                body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
                self.send_response(said.status)
                kind = "text/plain" if isinstance(said.body, bytes) else "application/json"
                for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **said.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = serve

            def log_message(self, format: str, *args: Any) -> None:
                """The tests look at ``asked``."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@contextmanager
def serving() -> Iterator[Service]:
    service = Service()
    try:
        yield service
    finally:
        service.close()


class Outcome(NamedTuple):
    output: Any
    error: str | None
    cause: str


class Site:
    """An embedded log with a common worker; ``do`` gives it one job of a task with this Http section."""

    def __init__(self, secrets: Mapping[str, str] | Secrets | None = None) -> None:
        self.log = EmbeddedLog.memory()
        self.log.create([TopicSpec(n, p, c) for n, (p, c) in core_topics(NAMES, 1).items()])
        self._producer = self.log.producer()
        self.definitions = Definitions(self.log, NAMES)
        found = secrets if isinstance(secrets, Secrets) else Secrets(None, secrets or {})
        self.worker = CommonWorker(self.log, NAMES, self.definitions, secrets=found, pumps=False)
        self._version = 0
        self._read = 0

    def define(self, definition: Definition) -> None:
        self._producer.send(NAMES.definitions, encode_definition(definition), key_of(definition).encode())
        while self.definitions.step(0):
            pass

    def do(self, section: dict[str, Any], given: Any = None, *, seconds: float = 60, heartbeat_s: int = 0) -> Outcome:
        """``heartbeat_s``: the silence that the task allows."""
        self._version += 1
        version = self._version
        self.define(TaskVersion("call", version, f"hash-{version}", {"Name": "call", "Http": section, "HeartbeatSeconds": heartbeat_s}))
        states = {"Call": {"Type": "Task", "Resource": f"task:call@{version}", "End": True}}
        self.define(BlueprintVersion("shop", version, f"hash-{version}", {"StartAt": "Call", "States": states, "Sfc": {"Name": "shop"}}))
        head = [
            (headers.JOB, b"shop:1/0/1/x"),
            (headers.FLOW, b"shop:1"),
            (headers.BLUEPRINT, b"shop@%d" % version),
            (headers.STATE, b"Call"),
            (headers.TASK, b"task:call@%d" % version),
            (headers.REPLY_TO, NAMES.commands.encode()),
            (headers.DEADLINE, rfc3339(time.time_ns() // 1_000_000 + int(seconds * 1000)).encode()),
        ]
        before = self.worker.counts.finished
        self._producer.send(NAMES.jobs, json.dumps(given).encode(), b"shop:1", head, 0)
        until_s = time.monotonic() + 30
        while self.worker.counts.finished == before:
            self.worker.step(0.005)
            assert time.monotonic() < until_s, "no answer came"
        answers = [r for r in self.replies() if headers.find(r.headers, headers.HEARTBEAT) is None]
        if not answers:
            return Outcome(None, None, "")
        [answer] = answers
        error, cause = headers.text(answer.headers, headers.ERROR), headers.text(answer.headers, headers.CAUSE)
        return Outcome(json.loads(answer.value or b"null"), error, cause or "")

    def replies(self) -> list[Record]:
        """Those of the last job."""
        reader = self.log.reader({Partition(NAMES.commands, 0): self._read})
        found = reader.take(1_000, 0)
        reader.close()
        self.last = found
        self._read += len(found)
        return found

    def close(self) -> None:
        self.worker.close()
        self.definitions.close()
        self.log.close()
