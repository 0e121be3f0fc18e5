from __future__ import annotations

from typing import Any

import pytest

from sfc.engine.link import duration_ms
from sfc.engine.program import Target
from sfc.errors import InvalidDocument
from tests.unit.engine.bench import program_of, task


def target(resource: str, document: dict[str, Any] | None = None, sfc: dict[str, Any] | None = None) -> Target:
    tasks = {} if document is None else {"split@3": document}
    states = {"A": {"Type": "Task", "Resource": resource, "End": True}}
    return program_of(states, tasks=tasks, Sfc=sfc or {}).targets["A"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, Target("task:split@3", "task", "t.split")),
        ({"TimeoutSeconds": 30, "HeartbeatSeconds": 10}, Target("task:split@3", "task", "t.split", timeout_s=30, heartbeat_s=10)),
        ({"Kafka": {"Topic": "order_split"}}, Target("task:split@3", "task", "order_split", exactly_once=True)),
        ({"Kafka": {"Topic": "order_split"}, "Delivery": "at-least-once"}, Target("task:split@3", "task", "order_split")),
        ({"Delivery": "exactly-once"}, Target("task:split@3", "task", "t.split", exactly_once=True)),
        (
            {"Kafka": {"Topic": "in", "ReplyTopic": "out", "Correlate": {"Header": "x-id"}}},
            Target("task:split@3", "task", "in", "out", "header", "x-id", exactly_once=True),
        ),
        (
            {"Kafka": {"Topic": "in", "ReplyTopic": "out", "Correlate": "Key"}},
            Target("task:split@3", "task", "in", "out", "key", exactly_once=True),
        ),
        ({"Http": {"Url": "http://x"}}, Target("task:split@3", "http", "t.jobs", http={"Url": "http://x"})),
    ],
)
def test_where_a_task_s_jobs_go(document: dict[str, Any], expected: Target) -> None:
    assert target("task:split@3", document) == expected


def test_resources_that_need_no_task() -> None:
    assert target("topic:audit") == Target("topic:audit", "topic", "audit", exactly_once=True)
    assert target("https://x/y") == Target("https://x/y", "http", "t.jobs", http={"Url": "https://x/y"})


@pytest.mark.parametrize(
    ("resource", "document", "topic"),
    [
        ("task:split@3", {}, "t.jobs.orders"),
        ("task:split@3", {"Http": {"Url": "http://x"}}, "t.jobs.orders"),
        ("https://x/y", None, "t.jobs.orders"),
        ("task:split@3", {"Kafka": {"Topic": "order_split"}}, "order_split"),
        ("topic:audit", None, "audit"),
    ],
)
def test_jobs_of_a_specific_blueprint_go_to_its_own_workers_but_for_those_of_services(
    resource: str, document: dict[str, Any] | None, topic: str
) -> None:
    assert target(resource, document, {"MessageType": "specific"}).topic == topic
    common = target(resource, document, {"MessageType": "common"})
    assert common == target(resource, document)
    assert common.topic != "t.jobs.orders"


def test_foreign_resources_are_mapped() -> None:
    arn = "arn:aws:lambda:eu-west-1:1:function:split"
    assert target(arn, {}, {"Resources": {arn: "task:split@3"}}).resource == "task:split@3"


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        ("task:split@3", "unknown-task"),
        ("task:split", "unpinned-task"),
        ("signal:", "unknown-resource"),
        ("arn:aws:lambda:eu-west-1:1:function:split", "unknown-resource"),
    ],
)
def test_a_resource_that_leads_nowhere_is_refused_with_its_place(resource: str, code: str) -> None:
    with pytest.raises(InvalidDocument) as refused:
        target(resource)
    assert [(p.code, p.pointer) for p in refused.value.problems] == [(code, "/States/A/Resource")]


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidDocument) as refused:
        program_of({"A": task("no", Next="B"), "B": task("neither")}, Sfc={"Retention": {"Failed": "a week", "Ids": "P"}})
    pointers = ["/States/A/Resource", "/States/B/Resource", "/Sfc/Retention/Failed", "/Sfc/Retention/Ids"]
    assert [p.pointer for p in refused.value.problems] == pointers


def test_retention() -> None:
    program = program_of({"A": task("a")}, Sfc={"Retention": {"Failed": "P7D", "Ids": "PT2H"}})
    assert (program.failed_kept_ms, program.ids_kept_ms, program.keep_ids) == (7 * 86_400_000, 7_200_000, True)
    assert not program_of({"A": task("a")}).keep_ids


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("P14D", 14 * 86_400_000),
        ("PT1H", 3_600_000),
        ("P1DT1H1M1S", 90_061_000),
        ("P2W", 14 * 86_400_000),
        ("PT0S", 0),
        ("P", None),
        ("PT", None),
        ("P1M", None),
        ("14D", None),
        ("P1.5D", None),
        (14, None),
    ],
)
def test_durations(text: object, ms: int | None) -> None:
    assert duration_ms(text) == ms
