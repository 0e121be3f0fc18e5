"""SFC beside other systems: the same three-task flow and payload, Python workers, one after the other on this machine.

    run.py [--peers zeebe,temporal,…] [--open 1,50,200,1000] [--seconds 8] [--warm 20]

Each system runs in a network namespace of its own with nothing but loopback (some listen on all interfaces): that needs root and Linux.
What they need is fetched through Maven, npm and the Python index into a cache; nothing of it is part of SFC. Prints a table and writes
``.bench/peers.json``. What "done" and "durable" mean for each: README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = Path(os.environ.get("SFC_BENCH_PEERS_CACHE") or Path.home() / ".cache" / "sfc-peers")
sys.path.insert(0, str(HERE))

from systems import SYSTEMS, Peer  # noqa: E402


def measure(peer: Peer, a: argparse.Namespace, folder: Path) -> list[dict[str, float]]:
    """Starts the system and its worker within a namespace, and reads what its client measures."""
    inner = [sys.executable, str(HERE / "run.py"), "--inside", peer.name, "--folder", str(folder)]
    inner += ["--open", a.open, "--seconds", str(a.seconds), "--warm", str(a.warm)]
    script = 'ip link set lo up && exec "$@"'
    done = subprocess.run(["unshare", "--net", "sh", "-c", script, "sh", *inner], capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0:
        logs = "\n".join(f"-- {log.name}\n{log.read_text(errors='replace')[-1_500:]}" for log in sorted(folder.glob("*.log")))
        raise RuntimeError(f"{peer.name} failed:\n{done.stderr[-2_000:]}\n{logs}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def inside(peer: Peer, a: argparse.Namespace) -> None:
    """In the namespace: servers, deploy, worker, client."""
    folder = Path(a.folder)
    with ExitStack() as stack:

        def spawn(name: str, command: list[str], **environment: str) -> None:
            stack.enter_context(running(command, folder / f"{name}.log", folder, environment))

        peer.start(CACHE, folder, spawn)
        own = str(CACHE / "venv" / "bin" / "python")
        python, script = sys.executable if peer.name == "sfc" else own, str(HERE / f"{peer.script}.py")
        if peer.worker and peer.worker_first:
            spawn("worker", [python, script, "work"])
        attempt([python, script, "deploy"], peer.seconds_to_start)
        if peer.worker and not peer.worker_first:
            spawn("worker", [python, script, "work"])
        time.sleep(3)
        options = ["--open", a.open, "--seconds", str(a.seconds), "--warm", str(a.warm)]
        with (folder / "client.log").open("w") as log:
            done = subprocess.run(
                [python, script, "drive", *options], stdout=subprocess.PIPE, stderr=log, text=True, timeout=800, check=False
            )
        if done.returncode != 0:
            sys.stderr.write((folder / "client.log").read_text()[-3_000:])
            raise SystemExit(1)
        print(done.stdout)


def attempt(command: list[str], seconds: float) -> None:
    """Until it succeeds: a server takes its time to start."""
    end = time.monotonic() + seconds
    while True:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode == 0:
            return
        if time.monotonic() > end:
            raise SystemExit(f"{' '.join(command)}: {done.stderr[-2_000:]}")
        time.sleep(1)


@contextmanager
def running(command: list[str], log: Path, folder: Path, environment: dict[str, str]) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder, env={**os.environ, **environment}, start_new_session=True)
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def prepare(peers: list[Peer], say: Callable[[str], None]) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    venv = CACHE / "venv"
    say("fetching clients")
    if not venv.exists():
        subprocess.run(["uv", "venv", "-q", str(venv)], check=True)
    packages = sorted({package for peer in peers for package in peer.packages})
    if packages:
        subprocess.run(["uv", "pip", "install", "-q", "--python", str(venv / "bin" / "python"), *packages], check=True)
    for peer in peers:
        say(f"fetching {peer.name}")
        peer.fetch(CACHE)


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--peers", default=",".join(SYSTEMS))
    ap.add_argument("--open", default="1,50,200,1000")
    ap.add_argument("--seconds", type=float, default=8.0)
    ap.add_argument("--warm", type=float, default=20.0)
    ap.add_argument("--inside", help=argparse.SUPPRESS)
    ap.add_argument("--folder", help=argparse.SUPPRESS)
    a = ap.parse_args()
    if a.inside:
        inside(SYSTEMS[a.inside], a)
        return
    unknown = [name for name in a.peers.split(",") if name not in SYSTEMS]
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; there are {', '.join(SYSTEMS)}")
    if os.geteuid() != 0 or not shutil.which("unshare"):
        raise SystemExit("network namespaces need root and unshare (util-linux): some of these systems listen on all interfaces")
    peers = [SYSTEMS[name] for name in a.peers.split(",")]
    figures: dict[str, Any] = {}
    console = Console(stderr=True)
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True) as bars:
        task = bars.add_task("")
        prepare(peers, lambda text: bars.update(task, description=text))
        for peer in peers:
            bars.update(task, description=f"measuring {peer.name}")
            with tempfile.TemporaryDirectory(prefix=f"sfc-peer-{peer.name}-") as folder:
                Path(folder).chmod(0o755)
                try:
                    figures[peer.name] = {"version": peer.version, "runs": measure(peer, a, Path(folder))}
                except (RuntimeError, subprocess.TimeoutExpired) as e:
                    figures[peer.name] = {"version": peer.version, "failed": str(e)[-3_000:]}
                    console.print(f"{peer.name}: {e}", markup=False)
    show(figures)
    target = ROOT / ".bench" / "peers.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"command": " ".join(["benchmarks/peers/run.py", *sys.argv[1:]]), "peers": figures}, indent=1) + "\n")


def show(figures: dict[str, Any]) -> None:
    table = Table("system", "open", "flows/s", "p50 ms", "p99 ms")
    for name, found in figures.items():
        for run in found.get("runs", ()):
            table.add_row(f"{name} {found['version']}", *(str(run[key]) for key in ("open", "flows_per_s", "p50_ms", "p99_ms")))
    Console().print(table)


if __name__ == "__main__":
    main()
