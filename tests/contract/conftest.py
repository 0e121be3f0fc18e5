"""The log behind its port and the registry, over every adapter; only what is asked for is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.ports import Log
from sfc.registry import Registry
from tests.contract.logs import Backend
from tests.contract.registries import Database, Documents, StillClock, numbered_ids


@pytest.fixture(params=["memory", "sqlite", "kafka"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    if request.param == "kafka":
        from sfc.adapters.kafka import KafkaLog

        bootstrap = request.getfixturevalue("kafka")
        made = Backend("kafka", lambda: KafkaLog({"bootstrap.servers": bootstrap}, client_id="contract"), lasting=True)
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
