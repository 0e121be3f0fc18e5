"""The log, the registry and the flow index behind their ports, over every adapter; only what is asked for is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from sfc.adapters.elasticsearch import ElasticsearchFlowIndex
from sfc.adapters.embedded import EmbeddedLog
from sfc.adapters.sql import SqliteFlowIndex
from sfc.ports import FlowIndex, Log, RebuildableIndex
from sfc.registry import Registry
from tests.contract.flow_records import Open
from tests.contract.logs import Backend
from tests.contract.registries import Database, Documents, StillClock, numbered_ids
from tests.indices import empty, new_namespace


@pytest.fixture(params=["memory", "sqlite", "kafka"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    if request.param == "kafka":
        from sfc.adapters.kafka import KafkaLog

        bootstrap = request.getfixturevalue("kafka")
        # A topic that is missing is believed to be on its way for so long; by default until the record's own time is over.
        properties = {"bootstrap.servers": bootstrap, "topic.metadata.propagation.max.ms": "1000"}
        made = Backend("kafka", lambda: KafkaLog(properties, client_id="contract"), lasting=True)
    elif request.param == "sqlite":
        made = Backend("sqlite", lambda: EmbeddedLog.open(tmp_path / "log", client_id="contract"), lasting=True)
    else:
        made = Backend("memory", lambda: EmbeddedLog.memory(client_id="contract"), lasting=False)
    yield made
    made.close()


@pytest.fixture
def log(backend: Backend) -> Log:
    return backend.log


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def documents() -> Documents:
    return Documents()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path, clock: StillClock) -> Iterator[Database]:
    """One that several registries can open."""
    url = request.getfixturevalue("postgresql") if request.param == "postgresql" else f"sqlite:///{tmp_path}/deep/registry.db"
    made = Database(request.param, url, clock)
    yield made
    made.close()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def registry(request: pytest.FixtureRequest, tmp_path: Path, clock: StillClock) -> Iterator[Registry]:
    urls = {"memory": "sqlite://", "sqlite": f"sqlite:///{tmp_path}/registry.db"}
    opened = Registry(urls.get(request.param) or request.getfixturevalue("postgresql"), clock, new_id=numbered_ids())
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite-memory", "sqlite-file", "elasticsearch"])
def open_index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the index; each call of the file's and of Elasticsearch's is a further process's view of the same one."""
    opened: list[RebuildableIndex] = []
    open_one: Callable[[], RebuildableIndex] = SqliteFlowIndex
    if request.param == "sqlite-file":
        open_one = partial(SqliteFlowIndex, tmp_path / "deep" / "index.db")
    elif request.param == "elasticsearch":
        open_one = request.getfixturevalue("elasticsearch_index")

    def open_() -> RebuildableIndex:
        opened.append(open_one())
        return opened[-1]

    yield open_
    for index in opened:
        index.close()


@pytest.fixture(scope="session")
def namespace(elasticsearch: str) -> Iterator[str]:
    with new_namespace(elasticsearch) as name:
        yield name


@pytest.fixture
def elasticsearch_index(elasticsearch: str, namespace: str) -> Callable[[], RebuildableIndex]:
    """Opens an index that was empty when the test began. To empty one takes much less time than to make one."""
    empty(elasticsearch, namespace)
    return partial(ElasticsearchFlowIndex, elasticsearch, namespace, refresh=True)


@pytest.fixture
def index(open_index: Open) -> FlowIndex:
    return open_index()
