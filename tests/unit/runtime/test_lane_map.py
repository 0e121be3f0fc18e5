"""Map states on a lane: killed in the middle, restored, and going on by ticks where they yield."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.engine import events as e
from sfc.engine.limits import PORTION_STEPS
from sfc.monitor.folding import fold
from sfc.ports import Record
from sfc.runtime.lane import Lane
from sfc.wire import headers
from sfc.wire.definitions import BlueprintHead, BlueprintVersion
from sfc.wire.replies import decode_answer
from tests.unit.runtime.lane_bench import Bench, settle

TASK = {"Type": "Task", "Resource": "task:echo@1", "End": True}
PASS = {"Type": "Pass", "End": True}


def deploy(bench: Bench, state: dict[str, Any], **fields: Any) -> None:
    processor = {"StartAt": "One", "States": {"One": state}}
    document = {"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemProcessor": processor, "End": True, **fields}}}
    bench.define(BlueprintVersion("each", 1, "h-each", {**document, "Sfc": {"Name": "each"}}))
    bench.define(BlueprintHead("each", 1, "enabled", 1))


def events_of(bench: Bench) -> list[e.AnyEvent]:
    return [event for record in bench.histories() if record.flow == "each:a" for event in record.events]


def kill(lane: Lane) -> None:
    """It hears nothing any more: it neither closes nor commits."""
    lane._shards.clear()
    lane._consumer.close()


@pytest.mark.parametrize("steps", [0, 1, 3, 10, 30])
def test_a_map_goes_on_where_its_lane_was_killed(bench: Bench, steps: int) -> None:
    """What was not committed is decided again, with the same tokens: an answer to a job of the dead lane counts."""
    deploy(bench, TASK, MaxConcurrency=2)
    items = list(range(5))
    bench.start("each:a", items)
    tokens: list[str] = []
    waiting: list[Record] = []
    while not bench.answers:
        lane = bench.lane()
        jobs = waiting or bench.await_jobs(lane)
        tokens += [(headers.find(job.headers, headers.JOB) or b"").decode() for job in jobs]
        bench.answer(jobs[0], jobs[0].value)
        waiting = jobs[1:]
        for _ in range(steps):
            lane.step(0.002)
            waiting += bench.jobs.take(10, 0)
            bench.answers += [decode_answer(r.value or b"") for r in bench.replies.take(10, 0)]
        kill(lane)
    lane = bench.lane()
    settle(bench, [lane])
    assert (bench.answers[0].status, bench.answers[0].output) == ("SUCCEEDED", items)
    history = events_of(bench)
    assert [event.seq for event in history] == list(range(1, len(history) + 1))
    assert [event.index for event in history if isinstance(event, e.MapIterationStarted)] == items
    assert sum(isinstance(event, e.TaskSucceeded) for event in history) == len(items)
    assert set(tokens) == {event.token for event in history if isinstance(event, e.TaskScheduled)}
    assert fold(history)[-2]["output"] == items
    lane.close()


@pytest.mark.parametrize("killed", [False, True])
def test_a_map_that_yields_goes_on_by_ticks(bench: Bench, *, killed: bool) -> None:
    deploy(bench, PASS)
    items = list(range(2 * PORTION_STEPS + 5))
    bench.start("each:a", items)
    lane = bench.lane()
    if killed:
        bench.run([lane], lambda: any(isinstance(event, e.ExecutionYielded) for event in events_of(bench)), work=False)
        kill(lane)
        lane = bench.lane()
    bench.run([lane], lambda: bool(bench.answers))
    assert bench.answers[0].output == items
    settle(bench, [lane])
    history = events_of(bench)
    assert [event.seq for event in history] == list(range(1, len(history) + 1))
    assert sum(isinstance(event, e.ExecutionYielded) for event in history) == 2
    lane.close()


def test_a_map_in_a_file_is_restored_by_the_next_process(tmp_path: Path) -> None:
    log = EmbeddedLog.open(tmp_path / "log.db")
    first = Bench(log)
    first.set_up()
    deploy(first, TASK, MaxConcurrency=1, ItemSelector={"it.$": "$$.Map.Item.Value", "at.$": "$$.Map.Item.Index"})
    first.start("each:a", ["x", "y", "z"])
    lane = first.lane()
    first.answer((jobs := first.await_jobs(lane))[0], jobs[0].value)
    settle(first, [lane])
    lane.close()
    log.close()
    log = EmbeddedLog.open(tmp_path / "log.db")
    second = Bench(log)
    second.set_up()
    lane = second.lane()
    second.run([lane], lambda: bool(second.answers))
    assert second.answers[0].output == [{"it": item, "at": index} for index, item in enumerate(["x", "y", "z"])]
    lane.close()
    log.close()
