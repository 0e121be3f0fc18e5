"""SFC's roles as processes, as a user starts them; each is ended by its own process id."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

STOP_S = 45.0
_ADDRESS = re.compile(r"(?:answers on|sfc dev) +(http://[^\s\"]+)")


def environment(**settings: str) -> dict[str, str]:
    """This process' environment with these settings, and no others of SFC's."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("SFC_")}, **settings}


def wait_for(what: str, happened: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Looks every 50 ms. Fails with ``what`` when it has not come about in time."""
    until_s = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < until_s, f"{timeout_s:g} s have passed without {what}"
        time.sleep(0.05)


class Process:
    """A process, with what it says in a file of its own."""

    def __init__(self, name: str, command: list[str], settings: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self._told = folder / f"{name}.log"
        with self._told.open("wb") as told:
            self._process = subprocess.Popen(
                command, stdout=told, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=dict(settings), cwd=folder
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return self._told.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def url(self) -> str:
        """Where it answers; empty before it does."""
        found = _ADDRESS.search(self.log)
        return found[1] if found else ""

    @property
    def ready(self) -> bool:
        assert self.alive, f"{self.name} ended with {self._process.returncode}:\n{self.log}"
        if not self.url:
            return False
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, TimeoutError):
            return False

    def kill(self) -> None:
        """As the machine's failure would: nothing is finished."""
        self._process.kill()
        self._process.wait(30)

    def ask_to_stop(self) -> None:
        self._process.terminate()

    def exit_code(self, timeout_s: float = STOP_S) -> int:
        """Waits for the end. Raises subprocess.TimeoutExpired."""
        return self._process.wait(timeout_s)


class Processes:
    """The processes of a test. As a context manager it ends those that are left, and prints what all have said when the test failed."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._folder = folder
        self.settings = settings
        self.all: list[Process] = []

    def start(self, name: str, *command: str, **settings: str) -> Process:
        """``sfc`` with these arguments."""
        return self._run(name, [str(Path(sys.executable).with_name("sfc")), *command], settings)

    def start_python(self, name: str, *command: str) -> Process:
        return self._run(name, [sys.executable, *command], {})

    def _run(self, name: str, command: list[str], settings: Mapping[str, str]) -> Process:
        process = Process(name, command, {**self.settings, **settings}, self._folder)
        self.all.append(process)
        return process

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        for process in self.all:
            if process.alive:
                process.kill()
        if error is not None:
            for process in self.all:
                print(f"---- {process.name} ({process.pid})\n{process.log[-6_000:]}")
