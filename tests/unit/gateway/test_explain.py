"""GET /v1/flows/{flow}/explain: from the index's history, and from the log where the index does not answer."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from sfc.client import Client
from sfc.engine.events import ExecutionStarted, StateEntered, TaskScheduled
from sfc.engine.evolve import evolve
from sfc.engine.flow import Flow
from sfc.errors import IndexUnavailable, UnknownName
from sfc.wire.history import HistoryRecord, Summary
from sfc.wire.partition import partition_of
from sfc.wire.state import encode_flow, interval_headers

FLOW = "asks:1"
ASKING = {"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "Resource": "signal:go", "End": True}}, "Sfc": {"Name": "asks"}}
SHARDS = 2


@pytest.fixture
def asked(http: TestClient, gateway: Any) -> HistoryRecord:
    """A flow that waits for a signal: what its engine would have written."""
    assert http.put("/v1/blueprints/asks", json=ASKING).status_code == 201
    hash = gateway.definitions.current("asks").hash
    events: list[Any] = [
        ExecutionStarted(1, 0, 1_000, FLOW, "asks", 1, hash, {"n": 1}),
        StateEntered(2, 0, 1_000, 0, "Ask", "Task"),
        TaskScheduled(3, 0, 1_000, 0, f"{FLOW}/0/3/abcd", "signal:go", attempt=1),
    ]
    return HistoryRecord(FLOW, 0, 1, events, Summary("asks", 1, "RUNNING", 3, 1_000, 1_000))


def codes(found: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in found["reasons"]]


def test_a_flow_is_explained_by_its_history(gateway: Any, asked: HistoryRecord, client: Client) -> None:
    gateway.index.index([asked], [], {})
    found = client.explain(FLOW)
    assert codes(found) == ["no-engine-seen", "signal"]
    assert (found["status"], found["moving"], found["states"]) == ("RUNNING", False, ["Ask"])
    assert found["reasons"][1]["do"] == ["sfc signal asks:1 go --output '{…}'"]


def test_without_the_index_it_is_explained_from_the_log(
    gateway: Any, asked: HistoryRecord, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow: Flow | None = None
    for event in asked.events:
        flow = evolve(flow, event)
    assert flow is not None
    producer = gateway.log.producer()
    producer.send(gateway.names.state, encode_flow(flow), FLOW.encode(), interval_headers(1), partition_of(FLOW.encode(), SHARDS))
    producer.flush()

    def away(*_args: Any) -> Any:
        raise IndexUnavailable("the index does not answer")

    monkeypatch.setattr(gateway.index, "history", away)
    assert codes(client.explain(FLOW)) == ["no-engine-seen", "signal"]


def test_a_flow_that_nobody_knows_is_not_found(client: Client, asked: HistoryRecord) -> None:
    with pytest.raises(UnknownName, match="there is no flow asks:2"):
        client.explain("asks:2")
    with pytest.raises(UnknownName, match="a flow's id is"):
        client.explain("no id")
