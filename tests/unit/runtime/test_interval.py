"""What one interval may hold, and what becomes of a job that its transaction does not take (EXACTLY-ONCE 18, 25)."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.errors import RecordTooLarge, TransactionAborted
from sfc.ports import TopicSpec
from sfc.runtime.interval import HISTORY_BYTES_MAX, write_interval
from sfc.wire.definitions import BlueprintHead, BlueprintVersion
from sfc.wire.partition import partition_of
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle

LOOP: dict[str, Any] = {
    "A": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)", "x.$": "$.x"}, "Next": "C"},
    "C": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThan": 60, "Next": "E"}], "Default": "A"},
    "E": {"Type": "Succeed"},
}


def deploy(bench: Bench, name: str, states: dict[str, Any]) -> None:
    document = {"StartAt": next(iter(states)), "States": states, "Sfc": {"Name": name}}
    bench.define(BlueprintVersion(name, 1, f"h-{name}", document))
    bench.define(BlueprintHead(name, 1, "enabled", 1))


def test_an_exactly_once_job_that_its_topic_refuses_fails_its_flow_alone(bench: Bench) -> None:
    """Rule 25: it is over the topic's own limit. Smaller ones for the same topic, in the same interval, are not touched."""
    bench.log.create([TopicSpec("small", 1, {"max.message.bytes": "2000"})])
    deploy(bench, "tiny", {"S": {"Type": "Task", "Resource": "topic:small", "End": True}})
    lane = bench.lane()
    settle(bench, [lane], 3)
    home = partition_of(b"tiny:a", SHARDS)
    others = [f"tiny:{n}" for n in range(20) if partition_of(b"tiny:%d" % n, SHARDS) == home][:3]
    bench.start("tiny:a", "x" * 5_000)
    for other in others:
        bench.start(other, 1)
    bench.run([lane], lambda: len(bench.answers) == 4)
    by_flow = {a.flow: a for a in bench.answers}
    assert (by_flow["tiny:a"].status, by_flow["tiny:a"].error) == ("FAILED", "SFC.DispatchFailed")
    assert [by_flow[other].status for other in others] == ["SUCCEEDED"] * 3
    assert len(bench.all("small")) == 3
    lane.close()


def test_of_a_batch_that_is_refused_only_what_is_too_large_fails(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 25: Kafka names every record of a batch that one of them made too large."""
    bench.log.create([TopicSpec("small", 1, {"max.message.bytes": "2000"})])
    deploy(bench, "tiny", {"S": {"Type": "Task", "Resource": "topic:small", "End": True}})
    lane = bench.lane()
    settle(bench, [lane], 3)
    home = partition_of(b"tiny:a", SHARDS)
    other = next(f"tiny:{n}" for n in range(20) if partition_of(b"tiny:%d" % n, SHARDS) == home)

    def refuses(fence: Any, names: Any, shard: Any, overlay: Any, *more: Any) -> Any:
        if any(len(job.value) > 2_000 for job in overlay.jobs):
            raise TransactionAborted("refused", tuple((job.target.topic, job.flow.encode(), "too large") for job in overlay.jobs))
        return write_interval(fence, names, shard, overlay, *more)

    monkeypatch.setattr("sfc.runtime.shard.write_interval", refuses)
    bench.start("tiny:a", "x" * 5_000)
    bench.start(other, 1)
    bench.run([lane], lambda: len(bench.answers) == 2)
    assert {a.flow: a.status for a in bench.answers} == {"tiny:a": "FAILED", other: "SUCCEEDED"}
    lane.close()


def test_a_batch_that_is_refused_though_each_of_its_jobs_would_fit_is_written_again_whole(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 25: the client makes batches of up to 1 MB, and a topic may take less."""
    bench.log.create([TopicSpec("small", 1, {"max.message.bytes": "2000"})])
    deploy(bench, "tiny", {"S": {"Type": "Task", "Resource": "topic:small", "End": True}})
    lane = bench.lane()
    settle(bench, [lane], 3)
    home = partition_of(b"tiny:a", SHARDS)
    other = next(f"tiny:{n}" for n in range(20) if partition_of(b"tiny:%d" % n, SHARDS) == home)
    attempts: list[int] = []

    def refuses(fence: Any, names: Any, shard: Any, overlay: Any, *more: Any) -> Any:
        attempts.append(len(overlay.jobs))
        if overlay.jobs and len(attempts) == 1:
            raise TransactionAborted("refused", tuple((job.target.topic, job.flow.encode(), "too large") for job in overlay.jobs))
        return write_interval(fence, names, shard, overlay, *more)

    bench.start("tiny:a", 1)
    bench.start(other, 2)
    monkeypatch.setattr("sfc.runtime.shard.write_interval", refuses)
    bench.run([lane], lambda: len(bench.answers) == 2)
    assert {a.flow: a.status for a in bench.answers} == {"tiny:a": "SUCCEEDED", other: "SUCCEEDED"}
    assert attempts[:2] == [2, 2]
    assert len(bench.all("small")) == 2
    lane.close()


def test_a_decision_that_tells_much_is_split_and_ends_its_interval(bench: Bench) -> None:
    """Rule 18: history records of at most 1 MiB, and no interval that grows with the batch."""
    deploy(bench, "round", LOOP)
    lane = bench.lane()
    settle(bench, [lane], 3)
    home = partition_of(b"round:0", SHARDS)
    flows = [f"round:{n}" for n in range(20) if partition_of(b"round:%d" % n, SHARDS) == home][:3]
    for flow in flows:
        bench.start(flow, {"n": 0, "x": "x" * 150_000})
    bench.run([lane], lambda: len(bench.answers) == 3)
    settle(bench, [lane])
    assert [a.status for a in bench.answers] == ["SUCCEEDED"] * 3
    records = bench.all(NAMES.history)
    assert max(len(r.value or b"") for r in records) <= HISTORY_BYTES_MAX
    assert len({h for r in records for h in r.headers if h[0] == "sfc-interval"}) == 3
    for flow in flows:
        numbers = [e.seq for h in bench.histories() if h.flow == flow for e in h.events]
        assert numbers == list(range(1, len(numbers) + 1))
    lane.close()


def test_a_state_that_its_topic_does_not_take_stops_its_shard_and_no_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    lane = bench.lane()
    settle(bench, [lane], 3)
    home = partition_of(b"twice:a", SHARDS)
    shard = lane.shards[home]

    def refuses(topic: str, *_: Any) -> None:
        raise RecordTooLarge(f"a record for {topic} is too large")

    monkeypatch.setattr(shard._fence, "send", refuses)
    bench.start("twice:a", 1)
    other = next(f"twice:{n}" for n in range(20) if partition_of(b"twice:%d" % n, SHARDS) != home)
    bench.start(other, 2)
    bench.run([lane], lambda: bool(lane.stopped) and bool(bench.answers))
    assert "too large" in lane.stopped[home]
    assert other in {a.flow for a in bench.answers} | {h.flow for h in bench.histories()}
    lane.close()
