"""What the benchmarks run: a broker of their own, and SFC's engines and a worker beside it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SHARDS = 4
TASKS = ("bench-one", "bench-two", "bench-three")
BLUEPRINT = {
    "StartAt": "One",
    "States": {
        "One": {"Type": "Task", "Resource": "task:bench-one", "Next": "Two"},
        "Two": {"Type": "Task", "Resource": "task:bench-two", "Next": "Three"},
        "Three": {"Type": "Task", "Resource": "task:bench-three", "End": True},
    },
    "Sfc": {"Name": "bench"},
}


class Broker(NamedTuple):
    """``pids``: of brokers that were started here, by name."""

    bootstrap: str
    pids: dict[str, int]


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextlib.contextmanager
def broker(bootstrap: str = "", nodes: int = 1) -> Iterator[Broker]:
    """The one that is named; else one, or three, of its own."""
    if bootstrap:
        yield Broker(bootstrap, {})
        return
    script = str(ROOT / "deploy" / "local" / "kafka.sh")
    home = Path(tempfile.mkdtemp(prefix="sfc-bench-kafka-"))
    try:
        command = ["bash", script, "start", str(home), str(nodes), str(_free_port())]
        started = subprocess.run(command, capture_output=True, text=True, check=True)
        pids = {f"broker-{p.stem}" if nodes > 1 else "broker": int(p.read_text()) for p in sorted(home.glob("*.pid"))}
        yield Broker(started.stdout.strip().splitlines()[-1], pids)
    finally:
        subprocess.run(["bash", script, "stop", str(home)], check=False)
        shutil.rmtree(home, ignore_errors=True)


def run_json(command: list[str], timeout_s: float = 120) -> dict[str, Any]:
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def watching(pids: dict[str, int]) -> list[str]:
    return ["--watch", *(f"{name}={pid}" for name, pid in pids.items())]


def run_floor(served: Broker, flows_open: int, seconds: float, rate: float = 0.0) -> dict[str, Any]:
    command = [sys.executable, str(HERE / "floor.py"), served.bootstrap, "--open", str(flows_open), "--seconds", str(seconds)]
    return run_json([*command, "--rate", str(rate), *watching(served.pids)])


class Sfc:
    """Engines and a worker as processes, with the benchmark's blueprint deployed, in a namespace of their own. ``delivery``: of its
    tasks."""

    def __init__(self, served: Broker | str, *, shards: int = SHARDS, engines: int = 1, delivery: str = "") -> None:
        self.broker = Broker(served, {}) if isinstance(served, str) else served
        self.shards = shards
        self.namespace = f"bench-{uuid.uuid4().hex[:8]}"
        self._home = tempfile.TemporaryDirectory(prefix="sfc-bench-")
        self._env = {
            **os.environ,
            "SFC_NAMESPACE": self.namespace,
            "SFC_SHARDS": str(shards),
            "SFC_KAFKA": self.broker.bootstrap,
            "SFC_DATA": self._home.name,
            "SFC_LOG_LEVEL": "warning",
            "SFC_PORT": "0",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH", "")))),
        }
        self.version, self.hash, self.definitions = self._deploy(delivery)
        sfc = str(Path(sys.executable).with_name("sfc"))
        commands = {f"engine-{n}" if n else "engine": [sfc, "engine"] for n in range(engines)}
        commands["worker"] = [sfc, "worker", "echo", "--no-common"]
        self._processes = {
            name: subprocess.Popen(command, env={**self._env, "SFC_INSTANCE": name}, cwd=self._home.name)
            for name, command in commands.items()
        }

    @property
    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._processes.items()}

    def _deploy(self, delivery: str) -> tuple[int, str, int]:
        deployed = subprocess.run(
            [sys.executable, str(HERE / "deploy_bench.py"), json.dumps(BLUEPRINT), delivery, *TASKS],
            env=self._env, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if deployed.returncode != 0:
            raise SystemExit(deployed.stderr[-3000:])
        answer = json.loads(deployed.stdout.strip().splitlines()[-1])
        return answer["version"], answer["hash"], answer["definitions"]

    def measure(self, flows_open: int, seconds: float, rate: float = 0.0, flows: int = 0) -> dict[str, Any]:
        """``rate``: so many flows started each second, in place of a number kept open; ``flows``: so many of them, with each tenth told
        apart."""
        arguments = [self.broker.bootstrap, self.namespace, str(self.version), self.hash, str(self.definitions)]
        options = {"open": flows_open, "seconds": seconds, "rate": rate, "flows": flows, "shards": self.shards}
        told = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        command = [sys.executable, str(HERE / "flows.py"), *arguments, *told, *watching({**self.pids, **self.broker.pids})]
        return run_json(command, 120 if not flows else 7_200)

    def close(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        self._home.cleanup()
