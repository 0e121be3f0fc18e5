"""A chaos run can see: what is planted is found."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.engine import events as e
from sfc.ports import Log, TopicSpec
from sfc.wire import headers
from sfc.wire.history import HistoryRecord, Summary
from tests.chaos.documents import BILLS, NAMESPACE, SHIPPED, Start, draw
from tests.chaos.faults import KILL_BROKER, KILLS, STALL, deck
from tests.chaos.observer import Judge
from tests.chaos.verdict import Verdict, judge_all

FLOW = "parcel:r1"
START = Start("parcel", "r1", {"id": "r1"}, "SUCCEEDED", 0)
TOKEN = f"{FLOW}/5/2/abc"
SUMMARY = Summary("parcel", 1, "SUCCEEDED", 0, 0, 0)


def story(*, task: str = "task:pack@1", token: str = TOKEN) -> list[e.AnyEvent]:
    return [
        e.ExecutionStarted(1, 5, 0, FLOW, "parcel", 1, "hash"),
        e.TaskScheduled(2, 5, 0, 0, token, task),
        e.TaskSucceeded(3, 6, 0, 0),
        e.ExecutionSucceeded(4, 6, 0),
    ]


def told(events: list[e.AnyEvent], flow: str = FLOW, run: int = 5) -> HistoryRecord:
    return HistoryRecord(flow, run, events[0].seq, events, SUMMARY)


def judged(*records: HistoryRecord) -> Judge:
    judge = Judge()
    for record in records:
        judge.take(record)
    return judge


@pytest.fixture
def log() -> Iterator[Log]:
    made = EmbeddedLog.memory()
    made.create([TopicSpec(name, 1) for name in (SHIPPED, BILLS, f"{NAMESPACE}.task.seal")])
    yield made
    made.close()


def ship(log: Log, topic: str, token: str, times: int = 1) -> None:
    producer = log.producer()
    for _ in range(times):
        producer.send(topic, b"{}", b"k", [(headers.JOB, token.encode())])
    producer.flush()
    producer.close()


def verdict(judge: Judge, log: Log, *, started: Start = START, outcomes: dict[str, set[str]] | None = None, sent: int = 1) -> Verdict:
    told = {TOKEN: {"SUCCEEDED"}} if outcomes is None else outcomes
    return judge_all(judge, {started.flow: started}, sent, told, log)


def test_a_flow_that_went_well_leaves_nothing_to_say(log: Log) -> None:
    found = verdict(judged(told(story())), log)
    assert found.wrong == []
    assert (found.flows, found.tokens) == (1, 1)


def test_a_missing_event_is_a_gap() -> None:
    events = story()
    judge = judged(told([events[0]]), told(events[2:]))
    assert judge.gaps == 1
    assert any("comes after 1" in finding for finding in judge.findings)


def test_a_record_that_comes_twice_is_doubled() -> None:
    record = told(story())
    assert judged(record, record).doubled == len(record.events)


def test_a_second_life_is_doubled() -> None:
    judge = judged(told(story()), told(story(), run=9))
    assert judge.doubled == 1
    assert "lived twice" in judge.findings[0]


def test_an_event_after_the_end_is_found() -> None:
    late = e.TaskScheduled(5, 9, 0, 0, "t", "task:pack@1")
    assert judged(told([*story(), late])).findings == [f"{FLOW}: event 5 comes after its end"]


def test_a_flow_that_ends_with_an_open_job_is_found() -> None:
    started, scheduled, _, _ = story()
    judge = judged(told([started, scheduled, e.ExecutionSucceeded(3, 6, 0)]))
    assert judge.findings == [f"{FLOW} ended with open jobs"]


def test_an_acknowledged_start_that_never_ran_is_lost(log: Log) -> None:
    assert verdict(judged(), log).lost == 1


def test_a_flow_that_does_not_end_is_orphaned(log: Log) -> None:
    assert verdict(judged(told(story()[:2])), log).orphaned == 1


def test_a_flow_that_nobody_started_is_found(log: Log) -> None:
    ghost = told(story(), flow="parcel:ghost-1-2")
    assert any("nobody started it" in one for one in verdict(judged(told(story()), ghost), log).wrong)


def test_another_end_than_meant_is_found(log: Log) -> None:
    broken = START._replace(ends="FAILED")
    assert verdict(judged(told(story())), log, started=broken).wrong == [f"{FLOW} ended as SUCCEEDED, and FAILED was meant"]


@pytest.mark.parametrize("outcomes", [{}, {TOKEN: {"Broken"}}], ids=["nobody did it", "another outcome"])
def test_an_outcome_that_no_worker_wrote_down_is_found(log: Log, outcomes: dict[str, set[str]]) -> None:
    assert any("was accepted for" in one for one in verdict(judged(told(story())), log, outcomes=outcomes).wrong)


def test_a_job_that_was_answered_in_two_ways_is_found(log: Log) -> None:
    assert verdict(judged(told(story())), log, outcomes={TOKEN: {"SUCCEEDED", "Broken"}}).doubled == 1


def test_a_record_that_was_shipped_is_there_once(log: Log) -> None:
    judge = judged(told(story(task=f"topic:{SHIPPED}")))
    assert verdict(judge, log).lost == 1
    ship(log, SHIPPED, TOKEN)
    assert verdict(judge, log).wrong == []
    ship(log, SHIPPED, TOKEN)
    assert verdict(judge, log).doubled == 1


def test_a_shipped_record_of_no_flow_is_found(log: Log) -> None:
    ship(log, SHIPPED, "another")
    assert any("no flow shipped it" in one for one in verdict(judged(told(story())), log).wrong)


def test_a_job_that_leaves_exactly_once_stands_in_its_topic_once(log: Log) -> None:
    judge = judged(told(story(task="task:bill@1")))
    assert verdict(judge, log).lost == 1
    ship(log, BILLS, TOKEN, times=2)
    assert verdict(judge, log).doubled == 1


def test_a_child_that_nobody_has_started_is_found(log: Log) -> None:
    child = told(story(), flow="parcel:order:r1.5.9")
    assert any("has 1 children, and started 0" in one for one in verdict(judged(told(story()), child), log).wrong)


def test_every_role_and_a_broker_are_killed_in_each_deck() -> None:
    for seed in range(20):
        assert {*KILLS, KILL_BROKER, STALL} <= set(deck(Random(seed), disk=False))


def test_the_plan_and_the_load_follow_the_seed() -> None:
    assert deck(Random(3), disk=True) == deck(Random(3), disk=True) != deck(Random(4), disk=True)
    assert [draw(Random(3), n, "r") for n in range(50)] == [draw(Random(3), n, "r") for n in range(50)]
