"""SFC's roles as processes of the real command line, several of each; whoever is killed is started again under its name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.acceptance.processes import Process
from tests.chaos.cluster import quiet_port

ROOT = Path(__file__).resolve().parents[2]
WORK = "tests.chaos.work"
SERVICE = "tests.chaos.service"
END_S = 30.0
COUNTS = {"engine": 2, "trigger": 2, "worker": 2, "gateway": 2, "service": 2}


class Member:
    """One place in the fleet, which has several lives."""

    def __init__(self, role: str, number: int, settings: Mapping[str, str], folder: Path) -> None:
        self.role = role
        self.name = f"{role}-{number}"
        self._folder = folder
        self._lives = 0
        port = quiet_port() if role == "gateway" else 0
        self.url = f"http://127.0.0.1:{port}"
        data = folder / f"data-{self.name}"
        self._settings = {**settings, "SFC_INSTANCE": self.name, "SFC_PORT": str(port), "SFC_DATA": str(data)}
        self.process = self._start()
        self.frozen = False

    def _start(self) -> Process:
        self._lives += 1
        sfc = str(Path(sys.executable).with_name("sfc"))
        command = {"worker": [sfc, "worker", WORK], "service": [sys.executable, "-m", SERVICE]}.get(self.role, [sfc, self.role])
        return Process(f"{self.name}.{self._lives}", command, self._settings, self._folder)

    @property
    def alive(self) -> bool:
        return self.process.alive

    @property
    def ready(self) -> bool:
        return "ready" in self.process.log if self.role == "service" else self.process.ready

    def kill(self) -> None:
        self.frozen = False
        self.process.kill()

    def bring_back(self) -> None:
        if not self.process.alive:
            self.process = self._start()

    def freeze(self) -> None:
        self.frozen = True
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        if self.frozen:
            self.frozen = False
            os.kill(self.process.pid, signal.SIGCONT)


def _ended(process: Process) -> int | None:
    """The exit code; None when it does not end."""
    try:
        return process.exit_code(END_S)
    except subprocess.TimeoutExpired:
        return None


class Fleet:
    """All of them. As a context manager it ends every process that is left."""

    def __init__(self, settings: Mapping[str, str], folder: Path) -> None:
        folder.mkdir()
        environment = {**settings, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}
        self._folder = folder
        self.members: list[Member] = []
        for role, count in COUNTS.items():
            for number in range(1, count + 1):
                self.members.append(Member(role, number, environment, folder))

    def of(self, role: str) -> list[Member]:
        return [member for member in self.members if member.role == role]

    @property
    def ready(self) -> bool:
        return all(member.ready for member in self.members)

    def heal(self) -> None:
        """Everybody runs."""
        for member in self.members:
            member.thaw()
            member.bring_back()

    def died(self) -> list[Member]:
        """Those that ended by themselves."""
        return [member for member in self.members if not member.alive]

    def end(self) -> dict[str, int | None]:
        """Asks all to stop; the exit codes of those that did not end in order (None: not at all), by name."""
        for member in self.members:
            member.process.ask_to_stop()
        return {member.name: code for member in self.members if (code := _ended(member.process)) != 0}

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            if member.alive:
                member.kill()
