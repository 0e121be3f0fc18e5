"""Starting flows over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from sfc.engine.commands import Command, ReplyTo, Start
from sfc.engine.effects import Reply
from sfc.ports import Partition
from sfc.wire.partition import partition_of

FLOWS = "/v1/blueprints/orders/flows"
BIG = 123456789012345678901234567890


def ends_with(status: str, **outcome: Any) -> Any:
    """An engine that accepts each start and ends its flow at once."""

    def answer(flow: str, command: Command, to: ReplyTo) -> Reply:
        assert isinstance(command, Start)
        return Reply(to, flow, "started") if to == command.accepted else Reply(to, flow, status, **outcome)

    return answer


def until_told(gateway: Any) -> tuple[str, Start]:
    """The first command that the engine was given."""
    for _ in range(200):
        if gateway.commands:
            flow, command = gateway.commands[0]
            return flow, command
        gateway.definitions.wait_change(0.01)
    raise AssertionError("no command came")


def test_a_start_becomes_a_command_on_the_flows_own_shard(gateway: Any, deployed: TestClient) -> None:
    answer = deployed.post(FLOWS, content=b'{"n": %d}' % BIG, headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    assert answer.status_code == 202, answer.text
    found = answer.json()
    assert found["blueprint"] == "orders"
    assert found["version"] == 1
    assert found["status_url"] == answer.headers["location"] == f"/v1/flows/{found['flow']}"
    flow, command = until_told(gateway)
    assert flow == found["flow"]
    assert flow.startswith("orders:")
    assert flow[len("orders:") + 14] == "7"  # a UUID version 7
    assert command.input == {"n": BIG}
    assert command.hash == gateway.registry.blueprint("orders").hash
    assert 0 < command.definitions <= gateway.definitions.position
    assert command.origin is not None
    assert command.origin.kind == "http"
    assert not command.keep_id
    assert command.wait is None
    assert command.accepted is None
    assert command.traceparent.endswith("-01")
    at = Partition(gateway.names.commands, partition_of(flow.encode(), 2))
    assert gateway.log.ends([at])[at] == 1


def test_an_idempotency_key_gives_the_same_flow_again(gateway: Any, deployed: TestClient) -> None:
    first = deployed.post(FLOWS, json={}, headers={"Idempotency-Key": "o-1"})
    assert (first.status_code, first.json()["flow"]) == (202, "orders:o-1")
    assert "idempotent-replayed" not in first.headers
    assert until_told(gateway)[1].keep_id
    gateway.answering = lambda flow, command, to: Reply(to, flow, "flow-exists", detail="it is RUNNING")
    again = deployed.post(FLOWS, json={}, params={"id": "o-1"})
    assert (again.status_code, again.json()["flow"]) == (202, "orders:o-1")
    assert again.headers["idempotent-replayed"] == "true"


def test_two_ids_for_one_start_are_refused(deployed: TestClient) -> None:
    answer = deployed.post(FLOWS, json={}, params={"id": "a"}, headers={"Idempotency-Key": "b"})
    assert answer.status_code == 400
    assert "name two flows: give one of them" in answer.json()["detail"]


def test_a_key_is_answered_even_when_no_engine_runs(gateway: Any, deployed: TestClient) -> None:
    gateway.answering = lambda flow, command, to: None
    with TestClient(gateway.app(verdict_s=0.1), base_url="http://127.0.0.1") as http:
        assert http.post(FLOWS, json={}, headers={"Idempotency-Key": "o-1"}).status_code == 202


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("SUCCEEDED", {"output": {"total": BIG}}),
        ("SUCCEEDED", {"output": None}),
        ("FAILED", {"error": "Unpaid", "cause": "no money"}),
        ("TIMED_OUT", {"error": None, "cause": None}),
    ],
)
def test_a_waiting_start_gets_the_outcome_by_a_reply(gateway: Any, deployed: TestClient, status: str, outcome: dict[str, Any]) -> None:
    gateway.answering = ends_with(status, **outcome)
    answer = deployed.post(FLOWS, json={}, params={"wait": "10s"})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"flow": answer.headers["location"].removeprefix("/v1/flows/"), "status": status, **outcome}
    assert gateway.answers.waiting == 0


def test_a_wait_that_is_over_gets_the_id(gateway: Any, deployed: TestClient) -> None:
    gateway.answering = lambda flow, command, to: None
    answer = deployed.post(FLOWS, json={}, params={"wait": "50ms"})
    assert answer.status_code == 202
    assert answer.json()["flow"].startswith("orders:")
    assert gateway.answers.waiting == 0


def test_a_waiting_start_of_a_finished_flow_gets_its_outcome(gateway: Any, deployed: TestClient) -> None:
    def exists(flow: str, command: Command, to: ReplyTo) -> Reply:
        assert isinstance(command, Start)
        return Reply(to, flow, "flow-exists") if to == command.accepted else Reply(to, flow, "SUCCEEDED", 7)

    gateway.answering = exists
    answer = deployed.post(FLOWS, json={}, params={"wait": "5s", "id": "o-1"})
    assert answer.status_code == 200
    assert answer.json() == {"flow": "orders:o-1", "status": "SUCCEEDED", "output": 7, "existed": True}
    assert answer.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("wait", ["10", "0s", "61s", "2m", "soon"])
def test_a_wait_that_is_no_time_is_refused(deployed: TestClient, wait: str) -> None:
    answer = deployed.post(FLOWS, json={}, params={"wait": wait})
    assert answer.status_code == 400
    assert answer.json()["detail"] == f"wait must be a time such as 500ms, 10s or 1m, at most 60s; it is '{wait}'"


def test_a_body_that_is_no_json_is_refused_with_what_came(gateway: Any, deployed: TestClient) -> None:
    answer = deployed.post(FLOWS, content=b"order=1")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "urn:sfc:problem:bad-input"
    assert problem["instance"] == FLOWS
    assert "a flow's input must be JSON" in problem["detail"]
    assert "it begins with 'order=1'" in problem["detail"]
    assert not gateway.commands


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(gateway: Any, deployed: TestClient, chunked: bool) -> None:
    body = b'"' + b"x" * 262_143 + b'"'
    answer = deployed.post(FLOWS, content=iter([body[:100_000], body[100_000:]]) if chunked else body)
    assert answer.status_code == 413
    assert "a flow's input may have 262144 bytes at most" in answer.json()["detail"]
    assert deployed.post(FLOWS, content=b'"' + b"x" * 262_142 + b'"').status_code == 202


def test_an_unknown_blueprint_is_refused_with_the_nearest_name(deployed: TestClient) -> None:
    answer = deployed.post("/v1/blueprints/ordres/flows", json={})
    assert answer.status_code == 404
    assert answer.json()["detail"] == "there is no blueprint 'ordres'"
    assert answer.json()["hint"] == "Did you mean 'orders'?"


def test_a_paused_blueprint_accepts_starts_and_a_disabled_one_does_not(gateway: Any, deployed: TestClient) -> None:
    assert deployed.post("/v1/blueprints/orders/pause", json={"reason": "stock"}).status_code == 200
    assert deployed.post(FLOWS, json={}).status_code == 202
    edited = gateway.registry.disable("orders")
    gateway.outbox_woken()
    while gateway.definitions.heads["orders"].revision < edited.revision:
        gateway.definitions.wait_change(0.05)
    answer = deployed.post(FLOWS, json={})
    assert answer.status_code == 409
    assert answer.json()["detail"] == "blueprint 'orders' can't start a flow: it is disabled and starts nothing"


def test_a_log_that_does_not_take_the_start_is_503(gateway: Any, deployed: TestClient) -> None:
    class Deaf:
        def put(self, flow: str, command: Command) -> None:
            from sfc.errors import LogUnavailable

            raise LogUnavailable(f"the command for {flow} was not acknowledged by the log: timed out", hint="try again")

    with TestClient(gateway.app(appender=Deaf()), base_url="http://127.0.0.1") as http:
        answer = http.post(FLOWS, json={})
    assert answer.status_code == 503
    assert "was not acknowledged by the log" in answer.json()["detail"]
    assert answer.headers["retry-after"] == "1"


def test_a_start_of_a_version_that_the_engine_does_not_know_is_404(gateway: Any, deployed: TestClient) -> None:
    gateway.answering = lambda flow, command, to: Reply(to, flow, "unknown", detail="orders@1 is not known")
    answer = deployed.post(FLOWS, json={}, params={"id": "x"})
    assert answer.status_code == 404
    assert answer.json()["detail"] == "orders@1 is not known"
