"""Pools of workers over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from sfc.client import Client
from sfc.errors import BadInput, LogError, NotPossible, UnknownName
from sfc.ports import Partition, Position

SCALE = {"Min": 1, "Max": 4, "LagPerReplica": 10, "Module": "shop.workers"}


@pytest.fixture
def client(gateway: Any) -> Iterator[Client]:
    """As on Kafka: there workers are processes of their own."""
    with (
        TestClient(gateway.app(embedded=False), base_url="http://127.0.0.1") as http,
        Client("http://127.0.0.1", transport=http._transport) as made,
    ):
        made.deploy([{"Name": "split", "Scale": SCALE}, {"Name": "pick"}])
        yield made


def test_pools_are_shown_with_their_lag_and_who_is_at_work(gateway: Any, client: Client) -> None:
    topic = "t.task.split"
    producer = gateway.log.producer()
    for _ in range(5):
        producer.send(topic, b"{}", partition=1)
    producer.flush()
    gateway.log.set_group_positions(topic, {Partition(topic, 1): Position(2)})
    consumer = gateway.log.consumer(topic, [topic], paused=True)
    consumer.take(1, 0)
    leader = gateway.log.consumer("t.scheduler", ["t.definitions"], paused=True)
    leader.take(1, 0)
    pick, split = client.workers()["pools"]
    assert split == {
        "pool": "task:split",
        "topics": [{"topic": topic, "group": topic}],
        "scale": {"min": 1, "max": 4, "lag_per_replica": 10, "module": "shop.workers"},
        "override": None,
        "members": [{"instance": "sfc", "host": "127.0.0.1", "partitions": [f"{topic}-0", f"{topic}-1"]}],
        "lag": 3,
        "partitions": 2,
    }
    assert (pick["scale"], pick["members"], pick["lag"]) == (None, [], 0)
    assert client.workers()["scheduler"] == {"leader": "sfc", "waiting": []}
    consumer.close()
    leader.close()
    assert client.workers()["scheduler"] == {"leader": None, "waiting": []}


def test_an_override_is_known_when_it_is_answered(client: Client) -> None:
    assert client.scale_workers("task:split", min=2)["changed"]
    assert client.drain_workers("task:split")["drained"]
    assert client.workers()["pools"][1]["override"] == {"min": 2, "max": None, "drained": True}
    client.undrain_workers("task:split")
    assert client.scale_workers("task:split") == {
        "pool": "task:split",
        "revision": 7,
        "changed": True,
        "min": None,
        "max": None,
        "drained": False,
    }
    assert client.workers()["pools"][1]["override"] == {"min": None, "max": None, "drained": False}


def test_what_can_not_be_is_refused(client: Client) -> None:
    with pytest.raises(BadInput, match="min 5 is over the document's max 4"):
        client.scale_workers("task:split", min=5)
    with pytest.raises(NotPossible, match="task:pick has no Scale"):
        client.drain_workers("task:pick")
    with pytest.raises(UnknownName, match="there is no pool task:none"):
        client.undrain_workers("task:none")


@pytest.mark.parametrize("body", ["[]", '{"min": "2"}', '{"min": true}', '{"max": 1.5}', '{"replicas": 2}', "", "nope"])
def test_a_body_that_is_no_scale_is_refused(gateway: Any, client: Client, body: str) -> None:
    with TestClient(gateway.app(embedded=False), base_url="http://127.0.0.1") as http:
        answer = http.put("/v1/workers/task:split", content=body)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:sfc:problem:bad-input")


def test_on_the_embedded_log_workers_are_not_scaled(gateway: Any, client: Client) -> None:
    with TestClient(gateway.app(), base_url="http://127.0.0.1") as http:
        for answer in (http.put("/v1/workers/task:split", json={"min": 2}), http.post("/v1/workers/task:split/drain")):
            assert answer.status_code == 409
            assert "on Kafka only" in answer.json()["detail"]
        assert len(http.get("/v1/workers").json()["pools"]) == 2


def test_a_deploy_says_that_scale_has_no_effect_on_the_embedded_log(http: TestClient) -> None:
    task, other = ({"source": n, "document": {"Name": n, **more}} for n, more in (("split", {"Scale": SCALE}), ("pick", {})))
    split, pick = http.post("/v1/deploy", json=[task, other]).json()["deployed"]
    assert ["Scale has no effect" in note for note in split["notes"]] == [True]
    assert pick["notes"] == []


def test_a_pool_that_the_log_does_not_tell_of_is_shown_with_its_trouble(
    gateway: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(group: str) -> Any:
        if group == "t.task.split":
            raise LogError("Group authorization failed")
        return {}

    monkeypatch.setattr(gateway.log, "group_positions", refused)
    pick, split = client.workers()["pools"]
    assert (split["lag"], split["trouble"], split["members"]) == (None, "Group authorization failed", [])
    assert (pick["lag"], "trouble" in pick) == (0, False)
