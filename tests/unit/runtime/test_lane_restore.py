"""What a lane must know, and must find, before it decides for a shard (EXACTLY-ONCE 8, 13, 32)."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.adapters.clock import SystemClock
from sfc.adapters.memory_store import MemoryStateStore
from sfc.engine.commands import Start
from sfc.engine.rules import RULES
from sfc.engine.shard import ShardState
from sfc.errors import ShardStopped
from sfc.ports import Partition, Record
from sfc.runtime.definitions import Definitions
from sfc.runtime.lane import Lane, LaneLimits
from sfc.wire import headers
from sfc.wire.commands import encode_command
from sfc.wire.definitions import BlueprintHead, BlueprintVersion
from sfc.wire.partition import partition_of
from sfc.wire.state import encode_shard, interval_headers, shard_key
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle

HOME = partition_of(b"twice:a", SHARDS)
TASK = {"Type": "Task", "Resource": "task:echo@1", "End": True}
TELL = {"Type": "Task", "Resource": "topic:audit", "End": True}
NEWER = {"Type": "OfTomorrow", "End": True}


def deploy(bench: Bench, name: str, state: dict[str, Any]) -> None:
    bench.define(BlueprintVersion(name, 1, f"h-{name}", {"StartAt": "S", "States": {"S": state}, "Sfc": {"Name": name}}))
    bench.define(BlueprintHead(name, 1, "enabled", 1))


def end_of_definitions(bench: Bench) -> int:
    partition = Partition(NAMES.definitions, 0)
    return bench.log.ends([partition])[partition]


def lane_with(bench: Bench, definitions: Definitions) -> Lane:
    """A lane whose definitions were loaded some time ago."""
    return Lane(bench.log, NAMES, SHARDS, definitions, MemoryStateStore(), SystemClock(), LaneLimits(interval_s=0.02))


@pytest.mark.parametrize("state", [TASK, TELL])
def test_a_successor_reads_the_definitions_before_it_decides(bench: Bench, state: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 8: the version was deployed after the standby had read the definitions, and the flow started on another engine. Of a topic
    state, the restore says dispatched again, which it can't without the version."""
    stale = Definitions(bench.log, NAMES)
    stale.load()
    deploy(bench, "late", state)
    lane = bench.lane()
    if state is TELL:
        monkeypatch.setattr(lane._outlets, "command", lambda *_: None)
    bench.command("late:a", Start("late", 1, "h-late", 1, end_of_definitions(bench), wait=bench.reply_to("late:a")))
    jobs = [] if state is TELL else bench.await_jobs(lane)
    settle(bench, [lane], 10)
    lane.close()
    standby = lane_with(bench, stale)
    if jobs:
        bench.answer(jobs[0], b"1")
    bench.run([standby], lambda: bool(bench.answers))
    assert bench.answers[0].status == "SUCCEEDED"
    standby.close()


@pytest.mark.parametrize("how", ["unknown", "other content", "cannot be compiled"])
def test_a_living_flow_of_a_version_that_is_not_known_stops_its_shard_and_no_other(bench: Bench, how: str) -> None:
    """Rule 8: nothing is ever decided for it, since the engine that knows the version would decide something else."""
    lane = bench.lane()
    bench.start("twice:a", 1)
    jobs = bench.await_jobs(lane)
    settle(bench, [lane], 10)
    lane.close()
    second = bench.lane()
    settle(bench, [second], 5)
    known = second._definitions
    if how == "unknown":
        del known._versions["twice", 1]
    else:
        state = NEWER if how == "cannot be compiled" else TASK
        hash_ = "h-twice" if how == "cannot be compiled" else "h-other"
        known._versions["twice", 1] = BlueprintVersion("twice", 1, hash_, {"StartAt": "S", "States": {"S": state}})
    known._programs.clear()
    bench.answer(jobs[0], b"1")
    settle(bench, [second], 10)
    assert "twice@1" in second.stopped[HOME]
    assert list(second.shards) == [1 - HOME]
    assert [type(e).__name__ for h in bench.histories() for e in h.events if e.seq > 3] == []
    second.close()


def test_an_engine_that_dies_in_a_shards_first_transaction_leaves_it_to_the_next(bench: Bench) -> None:
    """Rule 32: what was aborted was never there."""
    fence = bench.log.transaction(NAMES.transactional_id(HOME))
    fence.begin()
    fence.send(NAMES.state, b"{}", b"twice:x", interval_headers(1), HOME)
    fence.close()
    lane = bench.lane()
    bench.start("twice:a", 1)
    bench.run([lane], lambda: bool(bench.answers))
    assert not lane.stopped
    lane.close()


def test_a_shard_that_is_ahead_of_its_commands_stops(bench: Bench) -> None:
    """Rule 32: sfc.commands was made anew, or brought back from a backup; reading it again from 0 would start every flow again."""
    for number in range(SHARDS):
        record = ShardState(number, next_offset=3, interval=5, rules=RULES, closed=True)
        bench.producer.send(NAMES.state, encode_shard(record), shard_key(number), interval_headers(5), number)
    bench.start("twice:a", 1)
    lane = bench.lane()
    settle(bench, [lane], 10)
    assert sorted(lane.stopped) == [0, 1]
    assert "ends at" in lane.stopped[HOME]
    assert bench.histories() == []
    lane.close()


def test_a_record_below_the_shards_position_is_never_taken(bench: Bench) -> None:
    """Rule 13."""
    lane = bench.lane()
    bench.start("twice:a", 1)
    bench.run([lane], lambda: bool(bench.answers))
    value, head = encode_command(Start("twice", 1, "h-twice", 1))
    with pytest.raises(ShardStopped, match="offset 0"):
        lane.shards[HOME].take(Record(NAMES.commands, HOME, 0, b"twice:a", value, head, 1, 1))
    lane.close()


@pytest.mark.parametrize(
    ("state", "why"),
    [(NEWER, "OfTomorrow"), ({**TASK, "Resource": "task:nope@3"}, "nope@3")],
    ids=["of a newer release", "of an unknown task"],
)
def test_a_start_of_a_version_that_cannot_be_run_here_is_refused_with_the_reason(bench: Bench, state: dict[str, Any], why: str) -> None:
    """Rule 8, and no other flow is touched by it."""
    deploy(bench, "new", state)
    lane = bench.lane()
    bench.start("new:a", 1)
    bench.start("twice:a", 2)
    bench.run([lane], lambda: len(bench.answers) == 2)
    by_flow = {a.flow: a for a in bench.answers}
    assert by_flow["new:a"].status == "unknown"
    assert why in by_flow["new:a"].detail
    assert by_flow["twice:a"].status == "SUCCEEDED"
    assert not lane.stopped
    lane.close()


def test_a_version_that_could_not_be_linked_is_looked_at_again_when_its_task_comes(bench: Bench) -> None:
    deploy(bench, "new", {**TASK, "Resource": "task:soon@1"})
    definitions = Definitions(bench.log, NAMES)
    definitions.load()
    assert definitions.program("new", 1) is None
    assert "soon@1" in definitions.why_not("new", 1)
    bench.define(type(definitions.tasks()[0])("soon", 1, "h-soon", {"Name": "soon"}))
    definitions.read_to_end()
    assert definitions.program("new", 1) is not None
    definitions.close()


def test_a_start_that_waits_for_its_definitions_holds_up_its_own_shard_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 8: its definition stands in the log, and this engine's tail has not come so far."""
    lane = bench.lane()
    settle(bench, [lane], 3)
    deploy(bench, "late", {"Type": "Pass", "End": True})
    step = lane._definitions.step
    monkeypatch.setattr(lane._definitions, "step", lambda timeout_s=0.1: 0)
    home = partition_of(b"late:a", SHARDS)
    bench.command("late:a", Start("late", 1, "h-late", 5, end_of_definitions(bench), wait=bench.reply_to("late:a")))
    behind, beside = (next(f"nap:{n}" for n in range(99) if partition_of(b"nap:%d" % n, SHARDS) == p) for p in (home, 1 - home))
    bench.start(behind, 1)
    bench.start(beside, 2)
    settle(bench, [lane], 5)
    assert lane.shards[home].state.next_offset == 0
    assert lane.shards[1 - home].flow(beside) is not None
    monkeypatch.setattr(lane._definitions, "step", step)
    bench.run([lane], lambda: bool(bench.answers))
    assert (bench.answers[0].flow, bench.answers[0].output) == ("late:a", 5)
    settle(bench, [lane], 5)
    assert lane.shards[home].flow(behind) is not None
    lane.close()


def test_a_start_that_names_definitions_beyond_their_end_is_refused(bench: Bench) -> None:
    """Rule 8: whoever appends a start has the acknowledgement of the write that he names, so nobody who keeps to it can name one that is
    not there. Waiting for it, or stopping, would let a single record hold a shard for ever."""
    lane = bench.lane()
    bench.command("twice:a", Start("twice", 1, "h-twice", 1, 10**9))
    bench.command("twice:a", Start("twice", 1, "h-twice", 2, 10**9, wait=bench.reply_to("twice:a")))
    bench.start("twice:a", 3)
    bench.run([lane], lambda: len(bench.answers) == 2)
    assert [(a.status, a.output) for a in bench.answers] == [("unknown", None), ("SUCCEEDED", 3)]
    assert "1000000000" in bench.answers[0].detail
    letters = [headers.text(r.headers, headers.REASON) for r in bench.dead_letters()]
    assert letters == ["unknown-definitions"]  # who waits has his answer
    lane.close()


def test_definitions_of_an_unknown_kind_are_passed_over(bench: Bench) -> None:
    """A newer release writes kinds that this one does not know."""
    bench.producer.send(NAMES.definitions, b'{"kind":"of-tomorrow","name":"x"}', b"tomorrow:x", None, 0)
    bench.producer.flush()
    deploy(bench, "late", {"Type": "Pass", "End": True})
    lane = bench.lane()
    bench.start("late:a", 1)
    bench.run([lane], lambda: bool(bench.answers))
    assert bench.answers[0].status == "SUCCEEDED"
    lane.close()


def test_a_version_that_comes_again_with_other_content_is_told_and_nothing_of_its_batch_is_lost(bench: Bench) -> None:
    """Rule 8: versions are immutable."""
    bench.define(BlueprintVersion("twice", 1, "h-other", {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}))
    deploy(bench, "late", {"Type": "Pass", "End": True})
    definitions = Definitions(bench.log, NAMES)
    with pytest.raises(ShardStopped, match="two registries"):
        definitions.load()
    version = definitions.version("twice", 1)
    assert version is not None
    assert version.hash == "h-twice"
    assert definitions.current("late") is not None
    definitions.close()
