"""What holds a flow by now, where the index has not heard of it."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from sfc.engine.events import ExecutionStarted
from sfc.ports import Partition
from sfc.wire.definitions import BlueprintHead, BlueprintVersion, Definition, SubjectHold, encode_definition, key_of
from sfc.wire.history import HistoryRecord, Summary

ARN = "arn:aws:lambda:eu-west-1:1:function:pack"
BRANCHES = [{"StartAt": "Inner", "States": {"Inner": {"Type": "Task", "Resource": ARN, "End": True}}}]
DOCUMENT = {
    "StartAt": "Split",
    "States": {
        "Split": {"Type": "Task", "Resource": "task:split@3", "Next": "Both"},
        "Both": {"Type": "Parallel", "Branches": BRANCHES, "Next": "Nap"},
        "Nap": {"Type": "Wait", "Seconds": 5, "End": True},
    },
    "Sfc": {"Name": "shop", "Group": "retail", "Resources": {ARN: "task:pack@1"}},
}


def shop(gateway: Any, *holds: SubjectHold, status: str = "enabled") -> None:
    """The blueprint as the registry would publish it; returns when it is known."""
    producer = gateway.log.producer()
    definitions: list[Definition] = [BlueprintVersion("shop", 1, "h", DOCUMENT), *holds, BlueprintHead("shop", 1, status, 9)]
    for definition in definitions:
        producer.send(gateway.names.definitions, encode_definition(definition), key_of(definition).encode(), None, 0)
    producer.flush()
    partition = Partition(gateway.names.definitions, 0)
    assert gateway.definitions.wait_for(gateway.log.ends([partition])[partition], 60)


def index(gateway: Any, flow: str, state: str, paused_by: list[str] | None = None, status: str = "RUNNING") -> None:
    summary = Summary("shop", 1, status, 1, 1_000, 1_500, states=[state], paused_by=paused_by or [])
    gateway.index.index([HistoryRecord(flow, 7, 1, [ExecutionStarted(1, 7, 1_000, flow, "shop", 1, "h")], summary)], [], {})


@pytest.mark.parametrize(
    ("subject", "state", "expected"),
    [
        ("version:shop@1", "Nap", ["version:shop@1"]),
        ("version:shop@2", "Nap", []),
        ("group:retail", "Nap", ["group:retail"]),
        ("group:food", "Nap", []),
        ("task:split", "Split", ["task:split"]),
        ("task:pack", "Inner", ["task:pack"]),
        ("task:split", "Inner", []),
        ("task:split", "Nap", []),
    ],
)
def test_a_flow_that_heard_nothing_of_a_hold_is_shown_with_it(
    gateway: Any, http: TestClient, subject: str, state: str, expected: list[str]
) -> None:
    shop(gateway, SubjectHold(subject, 3, True))
    index(gateway, "shop:1", state)
    assert http.get("/v1/flows/shop:1").json().get("paused_by", []) == expected
    assert [f.get("paused_by", []) for f in http.get("/v1/flows").json()["flows"]] == [expected]


def test_a_hold_that_was_lifted_is_shown_no_more_and_one_s_own_pause_is(gateway: Any, http: TestClient) -> None:
    shop(gateway, SubjectHold("group:retail", 4, False), SubjectHold("version:shop@1", 5, True))
    index(gateway, "shop:1", "Nap", ["own", "group:retail", "blueprint:shop", "task:unheard-of"])
    assert http.get("/v1/flows/shop:1").json()["paused_by"] == ["own", "task:unheard-of", "version:shop@1"]


def test_a_flow_that_has_ended_is_held_by_nothing(gateway: Any, http: TestClient) -> None:
    shop(gateway, status="paused")
    index(gateway, "shop:1", "Nap", status="FAILED")
    assert "paused_by" not in http.get("/v1/flows/shop:1").json()


@pytest.mark.parametrize(
    ("status", "holds", "query", "found"),
    [
        ("paused", [], {"blueprint": "shop"}, ["shop:1"]),
        ("enabled", ["group:retail"], {"blueprint": "shop", "version": 1}, ["shop:1"]),
        ("enabled", ["version:shop@1"], {"blueprint": "shop", "version": 1}, ["shop:1"]),
        ("enabled", [], {"blueprint": "shop", "version": 1}, []),
        ("paused", [], {}, []),  # the index alone is asked: it has not heard of the hold
    ],
)
def test_what_is_held_as_a_whole_is_found_as_paused(
    gateway: Any, http: TestClient, status: str, holds: list[str], query: dict[str, Any], found: list[str]
) -> None:
    shop(gateway, *(SubjectHold(subject, 3, True) for subject in holds), status=status)
    index(gateway, "shop:1", "Nap")
    index(gateway, "shop:2", "Nap", status="SUCCEEDED")
    listed = http.get("/v1/flows", params={"status": "PAUSED", **query}).json()["flows"]
    assert [f["flow"] for f in listed] == found
