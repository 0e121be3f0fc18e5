"""A Map whose items are a range of a topic, read by a common worker while lanes and workers die."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sfc_workers import item_readers
from sfc_workers.common import CommonWorker

from sfc.engine import events as e
from sfc.engine import writing
from sfc.ports import TopicSpec
from sfc.runtime.definitions import Definitions
from sfc.runtime.lane import Lane
from sfc.wire.definitions import BlueprintHead, BlueprintVersion
from tests.unit.runtime.lane_bench import NAMES, Bench, settle

ITEMS = [{"n": n} for n in range(12)]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few items are several pages."""
    monkeypatch.setattr(item_readers, "PAGE_ITEMS_MAX", 2)


@pytest.fixture
def orders(bench: Bench) -> Bench:
    """A topic with twelve records, and a blueprint that goes over them."""
    bench.log.create([TopicSpec("orders", 1)])
    for item in ITEMS:
        bench.producer.send("orders", json.dumps(item).encode(), b"k", [], 0)
    bench.producer.flush()
    reader = {"Resource": "topic:orders", "Parameters": {"From.$": "$.from", "To.$": "$.to"}}
    processor = {"StartAt": "One", "States": {"One": {"Type": "Pass", "End": True}}}
    document: dict[str, Any] = {
        "StartAt": "Each",
        "States": {"Each": {"Type": "Map", "ItemReader": reader, "ItemProcessor": processor, "End": True}},
    }
    bench.define(BlueprintVersion("each", 1, "h-each", {**document, "Sfc": {"Name": "each"}}))
    bench.define(BlueprintHead("each", 1, "enabled", 1))
    writer = {"Resource": "file:", "Parameters": {"Bucket": "b"}, "WriterConfig": {"OutputType": "JSON", "Transformation": "COMPACT"}}
    each = {**document["States"]["Each"], "ResultWriter": writer}
    bench.define(BlueprintVersion("kept", 1, "h-kept", {**document, "States": {"Each": each}, "Sfc": {"Name": "kept"}}))
    bench.define(BlueprintHead("kept", 1, "enabled", 1))
    return bench


class Workers:
    """A common worker at a time."""

    def __init__(self, bench: Bench, results_dir: Path | None = None) -> None:
        self._bench = bench
        self._results_dir = results_dir
        self._definitions = Definitions(bench.log, NAMES)
        self._worker = self._new()

    def _new(self) -> CommonWorker:
        return CommonWorker(self._bench.log, NAMES, self._definitions, pumps=False, results_dir=self._results_dir)

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
    assert (kinds["MapRunStarted"], kinds["ChildStarted"]) == (1, 7)
    assert kinds["ItemsRead"] == kinds["ItemReaderScheduled"] == 4, "the items came in pages"
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
        assert [item for event in events if isinstance(event, e.ItemsRead) for item in event.items] == ITEMS
        jobs = [event.token for event in events if isinstance(event, e.ItemReaderScheduled)]
        assert len(jobs) == len(set(jobs)) == len([event for event in events if isinstance(event, e.ItemsRead)])
    started = Counter(r.flow for r in orders.histories() for event in r.events if isinstance(event, e.ExecutionStarted))
    assert set(started.values()) == {1}
    assert len(started) == len(flows) * (1 + len(ITEMS))
    workers.close()
    lane.close()


@pytest.mark.parametrize("steps", [0, 1, 2, 4, 30])
def test_pages_that_have_come_outlive_the_lane(orders: Bench, steps: int) -> None:
    """Each page is told twice, the second time with other items; the lane dies after each telling, before or behind its commit."""
    orders.start("each:a", {"from": 0, "to": 3})
    lane = orders.lane()
    for number in range(3):
        orders.run([lane], lambda count=number: len({dict(job.headers)["sfc-job"] for job in orders.all(NAMES.jobs)}) > count)  # type: ignore[misc]
        job = orders.all(NAMES.jobs)[-1]
        assert json.loads(job.value or b"").get("Cursor") == ({"at": number} if number else None)
        for item in (number, "another"):
            orders.answer(job, json.dumps({"Items": [item], "Next": {"at": number + 1} if number < 2 else None}).encode())
            for _ in range(steps):
                lane.step(0.002)
            drop(lane)
            lane = orders.lane()
    orders.run([lane], lambda: bool(orders.answers))
    assert (orders.answers[0].status, orders.answers[0].output) == ("SUCCEEDED", [0, 1, 2])
    settle(orders, [lane])
    events = events_of(orders, "each:a")
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.items for event in events if isinstance(event, e.ItemsRead)] == [[0], [1], [2]]
    lane.close()


@pytest.mark.parametrize("seed", range(4))
def test_results_are_written_once_whoever_dies(orders: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Twelve items in pages of two, results in parts of five: the files have each result once, and the manifest has each file."""
    monkeypatch.setattr(writing, "PART_RESULTS", 5)
    workers = Workers(orders, tmp_path)
    orders.start("kept:a", {"from": 0, "to": 12})
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
    run(orders, lane, workers, 1)
    settle(orders, [lane])
    assert all(answer == orders.answers[0] for answer in orders.answers)
    output = orders.answers[0].output
    assert orders.answers[0].status == "SUCCEEDED"
    place = output["ResultWriterDetails"]
    manifest = json.loads((tmp_path / place["Bucket"] / place["Key"]).read_bytes())
    assert manifest["MapRunArn"] == output["MapRunArn"]
    files = manifest["ResultFiles"]["SUCCEEDED"]
    contents = [(tmp_path / place["Bucket"] / file["Key"]).read_bytes() for file in files]
    assert [len(content) for content in contents] == [file["Size"] for file in files]
    written = sorted((result for content in contents for result in json.loads(content)), key=lambda result: result["n"])
    assert written == ITEMS
    there = {file.name for file in tmp_path.rglob("*.json")}
    assert there == {"manifest.json", *(file["Key"].rpartition("/")[2] for file in files)}, "no run of the Map but one has written"
    workers.close()
    lane.close()


def test_a_reader_s_job_is_no_other_worker_s(orders: Bench) -> None:
    """It goes to the common workers' topic, under a name that no HTTP task can have."""
    lane = orders.lane()
    orders.start("each:a", {"from": 0, "to": 1})
    orders.run([lane], lambda: bool(orders.all(NAMES.jobs)))
    [job] = orders.all(NAMES.jobs)
    assert dict(job.headers)["sfc-task"] == b"read:topic:orders"
    lane.close()
