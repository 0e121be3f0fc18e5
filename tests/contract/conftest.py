"""The log behind its port, over every adapter; only the backend that is asked for is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.ports import Log
from tests.contract.logs import Backend


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
