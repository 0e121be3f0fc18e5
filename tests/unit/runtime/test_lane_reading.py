"""A Map whose items are a range of a topic, read by a common worker while lanes and workers die."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from sfc_workers import item_readers
from sfc_workers.common import CommonWorker

from sfc.engine import events as e
from sfc.ports import TopicSpec
from sfc.runtime.definitions import Definitions
from sfc.runtime.lane import Lane
from sfc.wire.definitions import BlueprintHead, BlueprintVersion
from tests.unit.runtime.lane_bench import NAMES, Bench, settle

ITEMS = [{"n": n} for n in range(12)]


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few items are several portions."""
    monkeypatch.setattr(item_readers, "PORTION_BYTES", 20)


@pytest.fixture
def orders(bench: Bench) -> Bench:
    """A topic with twelve records, and a blueprint that goes over them."""
    bench.log.create([TopicSpec("orders", 1)])
    for item in ITEMS:
        bench.producer.send("orders", json.dumps(item).encode(), b"k", [], 0)
    bench.producer.flush()
    reader = {"Resource": "topic:orders", "Parameters": {"From.$": "$.from", "To.$": "$.to"}}
    processor = {"StartAt": "One", "States": {"One": {"Type": "Pass", "End": True}}}
    document = {"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemReader": reader, "ItemProcessor": processor, "End": True}}}
    bench.define(BlueprintVersion("each", 1, "h-each", {**document, "Sfc": {"Name": "each"}}))
    bench.define(BlueprintHead("each", 1, "enabled", 1))
    return bench


class Workers:
    """A common worker at a time."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._definitions = Definitions(bench.log, NAMES)
        self._worker = self._new()

    def _new(self) -> CommonWorker:
        return CommonWorker(self._bench.log, NAMES, self._definitions, pumps=False)

    def step(self) -> None:
        self._definitions.step(0)
        self._worker.step(0.005)

    def die(self) -> None:
        """What it did and did not commit is done again by the next one."""
        for intake in self._worker._intakes:
            intake._committed = dict.fromkeys(intake._assigned, 1 << 40)
            intake._consumer.close()
        self._worker = self._new()

    def close(self) -> None:
        self._worker.close()
        self._definitions.close()


def drop(lane: Lane) -> None:
    """It dies: what is decided and not committed is gone, what it sent stays."""
    lane._drop_all()
    lane._consumer.close()
    lane._outlets.close()


def events_of(bench: Bench, flow: str) -> list[e.AnyEvent]:
    return [event for record in bench.histories() if record.flow == flow for event in record.events]


def run(bench: Bench, lane: Lane, workers: Workers, answers: int) -> None:
    def there() -> bool:
        workers.step()
        return len({answer.id for answer in bench.answers}) == answers

    bench.run([lane], there)


def test_a_range_of_a_topic_is_gone_over(orders: Bench) -> None:
    lane, workers = orders.lane(), Workers(orders)
    orders.start("each:a", {"from": 2, "to": 9})
    run(orders, lane, workers, 1)
    assert (orders.answers[0].status, orders.answers[0].output) == ("SUCCEEDED", ITEMS[2:9])
    settle(orders, [lane])
    kinds = Counter(type(event).__name__ for event in events_of(orders, "each:a"))
    assert (kinds["ItemReaderScheduled"], kinds["MapRunStarted"], kinds["ChildStarted"]) == (1, 1, 7)
    assert kinds["ItemsRead"] > 1, "the items came in portions"
    workers.close()
    lane.close()


def test_a_range_that_is_not_there_fails_the_flow(orders: Bench) -> None:
    lane, workers = orders.lane(), Workers(orders)
    orders.start("each:a", {"from": 2, "to": 99})
    run(orders, lane, workers, 1)
    assert (orders.answers[0].status, orders.answers[0].error) == ("FAILED", "States.ItemReaderFailed")
    workers.close()
    lane.close()


@pytest.mark.parametrize("seed", range(6))
def test_each_item_is_gone_over_once_whoever_dies(orders: Bench, seed: int) -> None:
    workers = Workers(orders)
    flows = [f"each:{n}" for n in range(3)]
    for flow in flows:
        orders.start(flow, {"from": 0, "to": 12})
    for life in range(8):
        lane = orders.lane()
        for step in range(1 + (seed * 7 + life * 3) % 11):
            lane.step(0.003 if step % 2 else 0)
            if (seed + life + step) % 3 == 0:
                workers.step()
        drop(lane)
        if (seed + life) % 2:
            workers.die()
    lane = orders.lane()
    run(orders, lane, workers, len(flows))
    settle(orders, [lane])
    outputs: dict[str, Any] = {answer.id: (answer.status, answer.output) for answer in orders.answers}
    assert outputs == dict.fromkeys(flows, ("SUCCEEDED", ITEMS))
    for flow in flows:
        events = events_of(orders, flow)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert [event.index for event in events if isinstance(event, e.ChildStarted)] == list(range(12))
        read = [event for event in events if isinstance(event, e.ItemsRead)]
        last = max(place for place, event in enumerate(read) if event.number == 0)
        assert [item for event in read[last:] for item in event.items] == ITEMS
        assert len({event.reading for event in read[last:]}) == 1, "portions of two readings never mix"
    started = Counter(r.flow for r in orders.histories() for event in r.events if isinstance(event, e.ExecutionStarted))
    assert set(started.values()) == {1}
    assert len(started) == len(flows) * (1 + len(ITEMS))
    workers.close()
    lane.close()


@pytest.mark.parametrize("steps", [0, 1, 2, 4, 30])
def test_portions_that_have_come_outlive_the_lane(orders: Bench, steps: int) -> None:
    """One worker sends two portions and is silent, another one reads anew; the lane dies after each of them, before or behind its
    commit."""
    orders.start("each:a", {"from": 0, "to": 3})
    lane = orders.lane()
    orders.run([lane], lambda: bool(orders.all(NAMES.jobs)))
    settle(orders, [lane])
    job = orders.all(NAMES.jobs)[0]
    for of, number, item in (
        ("r1", 0, "old"),
        ("r1", 1, "older"),
        ("r2", 0, 1),
        ("r1", 2, "lost"),
        ("r2", 1, 2),
        ("r2", 1, 2),
        ("r2", 2, 3),
    ):
        last = number == 2
        orders.answer(job, json.dumps({"Reading": of, "Number": number, "Items": [item], "Last": last}).encode())
        for _ in range(steps):
            lane.step(0.002)
        drop(lane)
        lane = orders.lane()
    orders.run([lane], lambda: bool(orders.answers))
    assert (orders.answers[0].status, orders.answers[0].output) == ("SUCCEEDED", [1, 2, 3])
    settle(orders, [lane])
    events = events_of(orders, "each:a")
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    taken = [(event.reading, event.number) for event in events if isinstance(event, e.ItemsRead)]
    assert taken == [("r1", 0), ("r1", 1), ("r2", 0), ("r2", 1), ("r2", 2)]
    lane.close()


def test_a_reader_s_job_is_no_other_worker_s(orders: Bench) -> None:
    """It goes to the common workers' topic, under a name that no HTTP task can have."""
    lane = orders.lane()
    orders.start("each:a", {"from": 0, "to": 1})
    orders.run([lane], lambda: bool(orders.all(NAMES.jobs)))
    [job] = orders.all(NAMES.jobs)
    assert dict(job.headers)["sfc-task"] == b"read:topic:orders"
    lane.close()
