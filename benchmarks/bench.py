"""What a flow costs beside the floor: both on one broker, alternating, medians of three rounds.

    bench.py [--kafka HOST:PORT] [--rounds 3] [--seconds 8]

Without ``--kafka`` it starts a broker of its own. Prints a table and writes ``.bench/latest.json``. Both sides are three processes (engine,
worker, client) with four shards and the same 3-task flow and payload; SFC's are ``sfc engine`` and ``sfc worker``.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

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


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def run_json(command: list[str]) -> dict[str, float]:
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


class Sfc:
    """An engine and a worker as processes, with the benchmark's blueprint deployed, in a namespace of their own."""

    def __init__(self, bootstrap: str) -> None:
        self.namespace = f"bench-{uuid.uuid4().hex[:8]}"
        self.bootstrap = bootstrap
        self._home = tempfile.TemporaryDirectory(prefix="sfc-bench-")
        self._env = {
            **os.environ,
            "SFC_NAMESPACE": self.namespace,
            "SFC_SHARDS": str(SHARDS),
            "SFC_KAFKA": bootstrap,
            "SFC_DATA": self._home.name,
            "SFC_LOG_LEVEL": "warning",
            "SFC_PORT": "0",
            "PYTHONPATH": str(HERE),
        }
        self.version, self.hash, self.definitions = self._deploy()
        sfc = str(Path(sys.executable).with_name("sfc"))
        self._processes = [
            subprocess.Popen([sfc, "engine"], env=self._env, cwd=self._home.name),
            subprocess.Popen([sfc, "worker", "echo", "--no-common"], env=self._env, cwd=self._home.name),
        ]

    def _deploy(self) -> tuple[int, str, int]:
        deployed = subprocess.run(
            [sys.executable, str(HERE / "deploy_bench.py"), json.dumps(BLUEPRINT), *TASKS],
            env=self._env, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if deployed.returncode != 0:
            raise SystemExit(deployed.stderr[-3000:])
        answer = json.loads(deployed.stdout.strip().splitlines()[-1])
        return answer["version"], answer["hash"], answer["definitions"]

    def measure(self, flows_open: int, seconds: float) -> dict[str, float]:
        arguments = [self.bootstrap, self.namespace, str(self.version), self.hash, str(self.definitions)]
        return run_json([sys.executable, str(HERE / "flows.py"), *arguments, "--open", str(flows_open), "--seconds", str(seconds)])

    def close(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        self._home.cleanup()


def rounds(bootstrap: str, count: int, seconds: float, progress: Progress) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    task = progress.add_task("warming", total=count * 4)
    for number in range(count):
        for flows_open in (1, 1_000):
            progress.update(task, description=f"round {number + 1}: the floor, {flows_open} open")
            floor = run_json([sys.executable, str(HERE / "floor.py"), bootstrap, "--open", str(flows_open), "--seconds", str(seconds)])
            progress.advance(task)
            progress.update(task, description=f"round {number + 1}: SFC, {flows_open} open")
            # Processes of its own each time: as the floor's, they hold no leftovers of another load.
            sfc = Sfc(bootstrap)
            try:
                flow = sfc.measure(flows_open, seconds)
            finally:
                sfc.close()
            progress.advance(task)
            results.append({"open": flows_open, "floor": floor, "flow": flow})
    return results


def summary(results: list[dict[str, Any]]) -> dict[str, float]:
    def median(flows_open: int, side: str, what: str) -> float:
        return statistics.median(r[side][what] for r in results if r["open"] == flows_open)

    numbers = {f"{side}_{what}": median(1, side, what) for what in ("p50_ms", "p99_ms") for side in ("floor", "flow")}
    numbers |= {f"{side}_flows_per_s": median(1_000, side, "flows_per_s") for side in ("floor", "flow")}
    numbers["p50_ratio"] = round(numbers["flow_p50_ms"] / numbers["floor_p50_ms"], 2)
    numbers["rate_ratio"] = round(numbers["flow_flows_per_s"] / numbers["floor_flows_per_s"], 3)
    return numbers


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--kafka", default="", help="bootstrap servers; by default a broker is started")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--seconds", type=float, default=8.0)
    a = ap.parse_args()
    console = Console()
    script = ROOT / "deploy" / "local" / "kafka.sh"
    home = tempfile.mkdtemp(prefix="sfc-bench-kafka-")
    bootstrap = a.kafka
    if not bootstrap:
        started = subprocess.run(["bash", str(script), "start", home, "1", str(free_port())], capture_output=True, text=True, check=True)
        bootstrap = started.stdout.strip().splitlines()[-1]
    began = time.perf_counter()
    try:
        with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True) as progress:
            results = rounds(bootstrap, a.rounds, a.seconds, progress)
    finally:
        if not a.kafka:
            subprocess.run(["bash", str(script), "stop", home], check=False)
            subprocess.run(["rm", "-rf", home], check=False)
    numbers = summary(results)
    table = Table(title=f"SFC beside the floor, medians of {a.rounds} rounds")
    for column in ("", "floor", "SFC", "ratio"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row("p50, one flow at a time", f"{numbers['floor_p50_ms']} ms", f"{numbers['flow_p50_ms']} ms", f"{numbers['p50_ratio']}")
    table.add_row("p99, one flow at a time", f"{numbers['floor_p99_ms']} ms", f"{numbers['flow_p99_ms']} ms", "")
    rates = f"{numbers['floor_flows_per_s']:.0f}", f"{numbers['flow_flows_per_s']:.0f}"
    table.add_row("flows/s, 1,000 open", *rates, f"{numbers['rate_ratio']}")
    console.print(table)
    out = ROOT / ".bench" / "latest.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({**numbers, "rounds": results, "seconds": round(time.perf_counter() - began, 1)}, indent=2) + "\n")
    console.print(f"written to {out.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
