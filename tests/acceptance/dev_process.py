"""The command line as a user runs it: `sfc dev` as a process of its own, and commands against it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
START_S = 90.0  # a busy machine's; an idle one needs two
SFC = str(Path(sys.executable).parent / "sfc")


def environment(**more: str) -> dict[str, str]:
    """This one's without SFC's settings: a laptop's own must not reach into a test."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith("SFC_")}, **more}


class Result(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    def document(self) -> Any:
        assert self.code == 0, f"exit code {self.code}: {self.err}"
        return json.loads(self.out)

    def lines(self) -> list[Any]:
        assert self.code == 0, f"exit code {self.code}: {self.err}"
        return [json.loads(line) for line in self.out.splitlines()]


def sfc(*arguments: str, timeout_s: float = 60, stdin: str | None = None, **env: str) -> Result:
    """A command, run to its end."""
    done = subprocess.run(
        [SFC, *arguments], capture_output=True, text=True, timeout=timeout_s, env=environment(**env), input=stdin, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


class Dev:
    """`sfc dev` while it runs. ``listening_s`` and ``ready_s``: how long that took from its start."""

    def __init__(self, *arguments: str, **env: str) -> None:
        begun = time.monotonic()
        self._err: list[str] = []
        self._process = subprocess.Popen(
            [SFC, "dev", "--port", "0", *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment(**env)
        )
        threading.Thread(target=self._collect, daemon=True).start()
        try:
            match = until(lambda: re.search(r"sfc dev\s+(http://\S+)", self.err), "its address", self._gone, START_S)
            self.url: str = match.group(1)
            self.listening_s = time.monotonic() - begun
            until(lambda: self.get("/readyz")[0] == 200, "/readyz", self._gone, START_S)
            self.ready_s = time.monotonic() - begun
        except BaseException:
            self._process.kill()
            raise

    def _collect(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._err.append(line)

    def _gone(self) -> str:
        return f"it ended with {self._process.poll()}: {self.err[-2000:]}" if self._process.poll() is not None else ""

    @property
    def err(self) -> str:
        return "".join(self._err)

    def sfc(self, *arguments: str, stdin: str | None = None) -> Result:
        return sfc(*arguments, stdin=stdin, SFC_URL=self.url)

    def get(self, path: str) -> tuple[int, str]:
        return self.request("GET", path)

    def request(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Status and body; 0 where nobody answers."""
        request = urllib.request.Request(self.url + path, body, dict(headers or {}), method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
        except urllib.error.URLError as e:
            return 0, str(e)

    def deploy(self, *documents: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Documents, deployed over HTTP (which costs no process). Status and answer."""
        body = json.dumps([{"source": f"{n}.yaml", "document": document} for n, document in enumerate(documents)]).encode()
        status, answer = self.request("POST", "/v1/deploy", body)
        return status, json.loads(answer)

    def start(self, name: str, value: Any = None, query: str = "") -> dict[str, Any]:
        """A start over HTTP: the answer."""
        status, answer = self.request("POST", f"/v1/blueprints/{name}/flows{query}", json.dumps(value).encode())
        assert status in (200, 202), answer
        return dict(json.loads(answer))

    def ended(self, flow: str, status: str) -> dict[str, Any]:
        """The flow when the index shows it in that status."""

        def look() -> dict[str, Any] | None:
            code, body = self.get(f"/v1/flows/{flow}")
            found = json.loads(body) if code == 200 else {}
            return found if found.get("status") == status else None

        return until(look, f"{flow} to be {status}")

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(60)
        finally:
            self._process.kill()


@contextmanager
def dev(*arguments: str, **env: str) -> Iterator[Dev]:
    running = Dev(*arguments, **env)
    try:
        yield running
    finally:
        running.terminate()


def until(look: Callable[[], T | None], awaited: str, gone: Callable[[], str] = lambda: "", seconds: float = 10.0) -> T:
    """What ``look`` gives once it gives something."""
    end_s = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        if why := gone():
            raise AssertionError(f"awaited {awaited}, but {why}")
        if time.monotonic() > end_s:
            raise AssertionError(f"awaited {awaited} for {seconds} s")
        time.sleep(0.05)


def written(folder: Path, *documents: Mapping[str, Any]) -> list[str]:
    """The documents' files."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for number, document in enumerate(documents):
        file = folder / f"{number}.yaml"
        file.write_text(json.dumps(document))
        names.append(str(file))
    return names


@contextmanager
def http_service() -> Iterator[str]:
    """The URL of a service: POST /STATUS answers with that status and the body it got, POST /slow after 5 s."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null"
            what = self.path.strip("/")
            if what == "slow":
                stopped.wait(30)
                what = "200"
            self.send_response(int(what))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    stopped = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


def blueprint(name: str, states: Mapping[str, Any], **own: Any) -> dict[str, Any]:
    """A blueprint document that starts at its first state."""
    return {"StartAt": next(iter(states)), "States": dict(states), "Sfc": {"Name": name, **own}}
