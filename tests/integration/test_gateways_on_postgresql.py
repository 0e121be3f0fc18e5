"""Two gateways as processes over one PostgreSQL and one Kafka: they edit at once, die, stall, and lose their database."""

from __future__ import annotations

import os
import signal
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from sfc.bootstrap import open_log
from sfc.client import Client
from sfc.ports import Log, Partition
from sfc.settings import Settings
from sfc.wire.definitions import TaskHead, TaskVersion, decode_definition
from sfc.wire.topics import Names
from tests.acceptance.processes import Process, Processes, environment, wait_for
from tests.services import new_database

DYING = Path(__file__).with_name("dying_gateway.py")


@dataclass
class Gateways:
    """``processes``: two gateways, and what a test starts beside them."""

    processes: Processes
    both: list[Process]
    log: Log
    names: Names
    database: str
    folder: Path

    def client(self, n: int) -> Client:
        return Client(self.both[n].url)

    def definitions(self, *, stable: bool = False) -> list[Any]:
        """Everything that a read-committed reader finds on sfc.definitions, in order; ``stable``: before the open transactions."""
        partition = Partition(self.names.definitions, 0)
        end = self.log.ends([partition], committed=stable)[partition]
        reader = self.log.reader({partition: 0})
        found: list[Any] = []
        deadline = time.monotonic() + 60
        while reader.position(partition) < end:
            assert time.monotonic() < deadline, "an open transaction holds the reader up"
            found += [decode_definition(r.value) for r in reader.take(1000, 0.1) if r.value is not None]
        reader.close()
        return found

    def heads(self, task: str, *, stable: bool = False) -> list[TaskHead]:
        return [d for d in self.definitions(stable=stable) if isinstance(d, TaskHead) and d.name == task]


@pytest.fixture(scope="module")
def gateways(kafka: str, postgresql_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    folder = tmp_path_factory.mktemp("gateways")
    names = Names(f"gw-{uuid.uuid4().hex[:8]}")
    log = open_log(Settings(kafka=kafka))
    with new_database(postgresql_server) as database:
        settings = environment(
            SFC_KAFKA=kafka,
            SFC_NAMESPACE=names.namespace,
            SFC_DATABASE=database,
            SFC_PORT="0",
            SFC_SHARDS="2",
            SFC_DATA=str(folder / "data"),
        )
        with Processes(folder, settings) as processes:
            both = [processes.start(f"gateway-{n}", "gateway", SFC_DATA=str(folder / f"data-{n}")) for n in range(2)]
            wait_for("both gateways being ready", lambda: all(p.ready for p in both), 60)
            yield Gateways(processes, both, log, names, database, folder)
    log.close()


def test_gateways_that_edit_at_once_publish_every_revision_in_order(gateways: Gateways) -> None:
    def edit(n: int) -> list[float]:
        took = []
        with gateways.client(n) as client:
            for number in range(8):
                began = time.monotonic()
                client.deploy([{"Name": "shared", "Comment": f"{n}-{number}"}, {"Name": f"own-{n}", "Comment": str(number)}])
                took.append(time.monotonic() - began)
        return took

    with ThreadPoolExecutor(2) as threads:
        took = [one for all_of_one in threads.map(edit, range(2)) for one in all_of_one]
    print(f"a deploy took {sorted(took)[len(took) // 2] * 1000:.0f} ms in the middle, {max(took) * 1000:.0f} ms at most")
    definitions = gateways.definitions()
    versions = [d.version for d in definitions if isinstance(d, TaskVersion) and d.name == "shared"]
    assert sorted(set(versions)) == list(range(1, 17)), "no version twice, none missing"
    heads = gateways.heads("shared")
    assert heads[-1].current == 16
    assert heads[-1].revision == max(head.revision for head in heads)
    revisions = {d.revision for d in definitions if isinstance(d, TaskHead)}
    assert revisions == set(range(min(revisions), max(revisions) + 1)), "revisions count without a gap"
    for n in range(2):
        with gateways.client(n) as client:
            assert client.task("shared")["current"] == 16


@pytest.mark.parametrize("dies", ["before-publishing", "before-the-commit", "before-marking"])
def test_what_a_killed_gateway_had_saved_the_other_publishes(gateways: Gateways, dies: str) -> None:
    task = f"orphan-{dies}"
    process = gateways.processes.start_python(dies, str(DYING), dies, task)
    assert process.exit_code(60) == -signal.SIGKILL, process.log
    wait_for("the other gateway's having published it", lambda: bool(gateways.heads(task)), 60)
    heads = gateways.heads(task)
    assert {head.current for head in heads} == {1}
    with gateways.client(0) as client:
        assert client.deploy([{"Name": task, "Comment": "edited"}])[0]["version"] == 2
    assert gateways.heads(task)[-1].current == 2


def test_a_gateway_that_was_stopped_and_goes_on_does_no_harm(gateways: Gateways) -> None:
    first, second = gateways.both
    with gateways.client(0) as one, gateways.client(1) as two:
        one.deploy([{"Name": "stalled", "Comment": "first"}])
        os.kill(first.pid, signal.SIGSTOP)
        try:
            two.deploy([{"Name": "stalled", "Comment": "second"}])
        finally:
            os.kill(first.pid, signal.SIGCONT)
        assert one.deploy([{"Name": "stalled", "Comment": "third"}])[0]["version"] == 3
        two.deploy([{"Name": "stalled", "Comment": "fourth"}])
    assert [head.current for head in gateways.heads("stalled")] == [1, 2, 3, 4]
    assert second.ready


@pytest.mark.parametrize("stopped_before", ["the-commit", "the-commit-with-all-sent"])
def test_a_gateway_that_is_stopped_within_its_transaction_is_fenced(gateways: Gateways, stopped_before: str) -> None:
    """It has the turn, and its records are in its producer or with the brokers; it wakes when another gateway has published a newer
    version."""
    task = f"sleeper-before-{stopped_before}"
    process = gateways.processes.start_python(task, str(DYING), f"stopped-before-{stopped_before}", task)

    def stopped() -> bool:
        assert process.alive, process.log
        return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    wait_for("the process's having stopped", stopped, 60)
    try:
        assert gateways.heads(task, stable=True) == []
        with gateways.client(0) as client:
            assert client.deploy([{"Name": task, "Comment": "newer"}])[0]["version"] == 2
        assert [head.current for head in gateways.heads(task)] == [1, 2]
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert process.exit_code(60) == 0, process.log
    assert "rows that still wait: 0" in process.log
    assert [head.current for head in gateways.heads(task)] == [1, 2], "what it had sent never became visible"


@contextmanager
def out_of_order(url: str) -> Iterator[None]:
    """The database lets nobody in, and has thrown out who was there."""
    name = make_url(url).database
    engine = create_engine(make_url(url).set(database="postgres"), isolation_level="AUTOCOMMIT")

    def allow(connection: Connection, allowed: str) -> None:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}"))
        connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name})

    with engine.connect() as connection:
        allow(connection, "false")
        try:
            yield
        finally:
            allow(connection, "true")
    engine.dispose()


def test_a_gateway_outlives_its_database_and_says_when_to_come_back(gateways: Gateways) -> None:
    with out_of_order(gateways.database):
        with pytest.raises(urllib.error.HTTPError) as told:
            urllib.request.urlopen(f"{gateways.both[0].url}/v1/tasks", timeout=20)
        assert told.value.code == 503
        assert int(told.value.headers["Retry-After"]) > 0
        assert b"registry-unavailable" in told.value.read()
        assert urllib.request.urlopen(f"{gateways.both[0].url}/livez", timeout=5).status == 200
    wait_for("both gateways being ready again", lambda: all(p.ready for p in gateways.both), 60)
    with gateways.client(0) as client:
        assert client.deploy([{"Name": "afterwards"}])[0]["version"] == 1


def test_a_gateway_waits_for_its_database(gateways: Gateways, tmp_path: Path) -> None:
    url = make_url(gateways.database).set(database="nowhere", username="ann", password="secret")
    absent = url.update_query_dict({"host": "127.0.0.1", "port": "1"}).render_as_string(hide_password=False)
    process = gateways.processes.start("waiting", "gateway", SFC_DATABASE=absent, SFC_DATA=str(tmp_path / "data"))
    wait_for("a word on the database", lambda: "does not answer" in process.log, 60)
    assert process.alive, "it keeps trying"
    assert "SFC_DATABASE" in process.log
    assert "secret" not in process.log
    process.ask_to_stop()
    assert process.exit_code() == 0
