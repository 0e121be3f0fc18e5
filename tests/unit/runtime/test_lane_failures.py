"""What a lane does when something fails (EXACTLY-ONCE, "When something fails")."""

from __future__ import annotations

import pytest

from sfc.adapters.clock import SystemClock
from sfc.adapters.embedded import EmbeddedLog
from sfc.adapters.memory_store import MemoryStateStore
from sfc.engine.commands import Start
from sfc.errors import ProducerFailed
from sfc.ports import Partition, Position, Record, TopicSpec
from sfc.runtime.interval import Overlay
from sfc.wire import headers
from sfc.wire.commands import encode_command
from sfc.wire.definitions import BlueprintHead, BlueprintVersion, TaskVersion
from sfc.wire.partition import partition_of
from sfc.wire.state import decode_flow, decode_shard, encode_shard, interval_headers, shard_key
from sfc.wire.topics import core_topics
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle

HOME = partition_of(b"twice:a", SHARDS)


def test_a_failed_flush_costs_a_restore_and_no_flow(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules 17 and 23: what is not acknowledged is not committed; the interval is decided again."""
    lane = bench.lane()
    bench.start("twice:a", 1)
    jobs = bench.await_jobs(lane)
    failures = iter([True])
    flush = lane._outlets.flush

    def fail_once() -> None:
        if next(failures, False):
            raise ProducerFailed("a record was not delivered")
        flush()

    monkeypatch.setattr(lane._outlets, "flush", fail_once)
    again = bench.await_jobs(lane)
    assert [(j.key, j.value, list(j.headers)) for j in again] == [(j.key, j.value, list(j.headers)) for j in jobs]
    bench.answer(again[0], b"1")
    bench.run([lane], lambda: bool(bench.answers))
    settle(bench, [lane])
    starts = [e for h in bench.histories() for e in h.events if type(e).__name__ == "ExecutionStarted"]
    assert len(starts) == 1
    lane.close()


def test_a_job_for_a_missing_topic_fails_its_flow_alone(bench: Bench) -> None:
    """Rule 25."""
    bench.define(TaskVersion("lost", 1, "h-lost", {"Name": "lost", "Kafka": {"Topic": "nowhere"}}))
    document = {"StartAt": "L", "States": {"L": {"Type": "Task", "Resource": "task:lost@1", "End": True}}, "Sfc": {"Name": "lost"}}
    bench.define(BlueprintVersion("lost", 1, "h-lost", document))
    bench.define(BlueprintHead("lost", 1, "enabled", 1))
    lane = bench.lane()
    bench.start("lost:a", 1)
    bench.start("twice:a", 2)
    bench.run([lane], lambda: len(bench.answers) == 2)
    by_flow = {a.flow: a for a in bench.answers}
    assert by_flow["lost:a"].status == "FAILED"
    assert "nowhere" in (by_flow["lost:a"].cause or "")
    assert by_flow["twice:a"].status == "SUCCEEDED"
    lane.close()


def test_the_position_is_the_shards_own_and_not_the_groups(bench: Bench) -> None:
    """Rule 13: a group that claims too little repeats nothing, one that claims too much skips nothing."""
    lane = bench.lane()
    bench.start("twice:a", 1)
    bench.run([lane], lambda: len(bench.answers) == 1)
    lane.close()
    partition = Partition(NAMES.commands, HOME)
    bench.log.set_group_positions(NAMES.engine_group, {partition: Position(0)})
    second = bench.lane()
    settle(bench, [second])
    second.close()
    assert bench.replies.take(10, 0) == []
    bench.start("twice:b", 2)
    home = Partition(NAMES.commands, partition_of(b"twice:b", SHARDS))
    bench.log.set_group_positions(NAMES.engine_group, {home: Position(bench.log.ends([home])[home])})
    third = bench.lane()
    bench.run([third], lambda: len(bench.answers) == 2)
    third.close()


def test_a_shard_without_a_record_but_with_states_stops(bench: Bench) -> None:
    """Rule 32."""
    bench.producer.send(NAMES.state, b"{}", b"twice:x", interval_headers(1), 0)
    bench.producer.flush()
    lane = bench.lane()
    settle(bench, [lane])
    assert list(lane.stopped) == [0]
    assert "no record of its own" in lane.stopped[0]
    assert list(lane.shards) == [1]
    lane.close()


def test_a_torn_shard_stops(bench: Bench) -> None:
    """Rule 24: records of an interval that the shard's own record does not know."""
    lane = bench.lane()
    bench.start("twice:a", 1)
    bench.run([lane], lambda: bool(bench.answers))
    lane.close()
    bench.producer.send(NAMES.state, b"{}", b"twice:x", interval_headers(999), HOME)
    bench.producer.flush()
    second = bench.lane()
    settle(bench, [second])
    assert "torn" in second.stopped[HOME]
    second.close()


def test_a_shard_is_closed_when_it_is_given_up_and_opened_by_the_next_interval(bench: Bench) -> None:
    """Rules 10 and 22."""
    lane = bench.lane()
    bench.start("twice:a", 1)
    bench.run([lane], lambda: bool(bench.answers))
    lane.close()

    def record() -> bool:
        values = [r.value for r in bench.all(NAMES.state) if r.key == shard_key(HOME)]
        return decode_shard(values[-1] or b"").closed

    assert record()
    second = bench.lane()
    bench.start("twice:a", 1)
    bench.run([second], lambda: len(bench.answers) == 2)
    settle(bench, [second])
    assert not record()
    second.close()


def test_a_shard_of_newer_rules_is_not_taken(bench: Bench) -> None:
    """Rule 10."""
    lane = bench.lane()
    bench.start("twice:a", 1)
    bench.run([lane], lambda: bool(bench.answers))
    state = lane.shards[HOME].state
    lane.close()
    state.rules += 1
    bench.producer.send(NAMES.state, encode_shard(state), shard_key(HOME), interval_headers(state.interval), HOME)
    bench.producer.flush()
    second = bench.lane()
    settle(bench, [second])
    assert "rules number" in second.stopped[HOME]
    second.close()


def test_commands_without_append_time_stop_the_shard() -> None:
    """Rule 6."""
    bench = Bench(EmbeddedLog.memory())
    topics = core_topics(NAMES, SHARDS)
    partitions, config = topics.pop(NAMES.commands)
    bench.log.create([TopicSpec(NAMES.commands, partitions, {**config, "message.timestamp.type": "CreateTime"})])
    bench.set_up()
    lane = bench.lane()
    bench.start("twice:a", 1)
    bench.run([lane], lambda: bool(lane.stopped))
    assert "LogAppendTime" in lane.stopped[HOME]
    lane.close()
    bench.log.close()


def test_a_start_waits_until_its_definition_is_known(bench: Bench) -> None:
    """Rule 8: the version is published after the lane has read the definitions."""
    lane = bench.lane()
    settle(bench, [lane], 3)
    document = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}, "Sfc": {"Name": "late"}}
    bench.define(BlueprintVersion("late", 1, "h-late", document))
    definitions = Partition(NAMES.definitions, 0)
    bench.command("late:a", Start("late", 1, "h-late", 5, bench.log.ends([definitions])[definitions], wait=bench.reply_to("late:a")))
    bench.run([lane], lambda: bool(bench.answers))
    assert (bench.answers[0].status, bench.answers[0].output) == ("SUCCEEDED", 5)
    lane.close()


def test_every_record_of_an_interval_carries_its_number_and_the_shards_record_is_last(bench: Bench) -> None:
    """Rule 18."""
    lane = bench.lane()
    bench.start("twice:a", 1)
    bench.await_jobs(lane)
    lane.close()
    records = [r for r in bench.all(NAMES.state) if r.partition == HOME]
    flows = [r for r in records if r.key == b"twice:a"]
    assert decode_flow(flows[0].value or b"").id == "twice:a"
    assert records[-1].key == shard_key(HOME)
    numbers = [int(headers.find(r.headers, headers.INTERVAL) or 0) for r in records]
    assert numbers == sorted(numbers)
    assert numbers[0] == 1


def test_a_lane_commits_one_shard_a_turn(bench: Bench) -> None:
    """Rule 20: it never stands still for two commits in a row."""
    lane = bench.lane()
    lane._limits = type(lane._limits)(interval_s=0.0)
    for n in range(20):
        bench.start(f"twice:{n}", n)
    settle(bench, [lane], 1)
    open_before = [n for n, s in lane.shards.items() if s.overlay]
    lane.step(0)
    open_after = [n for n, s in lane.shards.items() if s.overlay]
    assert len(open_before) - len(open_after) <= 1
    lane.close()


def test_dropping_a_shard_purges_what_was_decided(bench: Bench) -> None:
    """Rule 22: overlay and decoded states go with the shard."""
    lane = bench.lane()
    bench.start("twice:a", 1)
    bench.await_jobs(lane)
    shard = lane.shards[HOME]
    shard.drop()
    assert shard.overlay == Overlay()
    assert not shard._decoded
    lane._shards.pop(HOME)
    lane.close()


def test_a_restore_says_dispatched_again_for_what_is_still_open(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 31: the lane dies between its commit and the command that ends the ``topic:`` state."""
    lane = bench.lane()
    settle(bench, [lane], 2)
    monkeypatch.setattr(lane._outlets, "command", lambda *_: None)
    bench.start("tell:a", {"said": 1})
    settle(bench, [lane])
    assert len(bench.all("audit")) == 1
    assert bench.replies.take(10, 0) == []
    lane.close()
    second = bench.lane()
    bench.run([second], lambda: bool(bench.answers))
    assert bench.answers[0].status == "SUCCEEDED"
    assert len(bench.all("audit")) == 1
    second.close()


def test_after_a_slow_commit_the_shard_has_a_new_producer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 24: a late end of that transaction must not end the next one."""
    lane = bench.lane()
    settle(bench, [lane], 2)
    shard = lane.shards[HOME]
    before = shard._fence
    monkeypatch.setattr("sfc.runtime.shard.SLOW_COMMIT_S", -1.0)
    bench.start("twice:a", 1)
    bench.run([lane], lambda: bool(bench.answers))
    settle(bench, [lane])
    assert shard._fence is not before
    numbers = [e.seq for h in bench.histories() for e in h.events]
    assert numbers == list(range(1, len(numbers) + 1))
    lane.close()


def test_what_the_store_had_before_is_wiped_when_a_shard_is_taken(bench: Bench) -> None:
    """Rule 19."""
    store = MemoryStateStore()
    store.apply(HOME, {b"twice:old": b"{}"})
    lane = bench.lane(store)
    settle(bench, [lane], 3)
    assert HOME in lane.shards
    assert store.get(HOME, b"twice:old") is None
    lane.close()


def test_the_shards_clock_does_not_go_back_with_the_logs(bench: Bench) -> None:
    """Rule 6: append time was seen to go back when leadership moved."""
    lane = bench.lane()
    settle(bench, [lane], 3)
    shard = lane.shards[HOME]
    value, head = encode_command(Start("twice", 1, "h-twice", 1))
    for offset, append_ms in ((0, 5_000), (1, 4_000)):
        shard.take(Record(NAMES.commands, HOME, offset, b"twice:a", value, head, append_ms, append_ms))
    assert shard.state.clock_ms == 5_000
    shard.drop()
    lane._shards.pop(HOME)
    lane.close()


def test_the_batch_in_hand_is_discarded_when_its_shard_moved(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 15: revoked and assigned anew within one call, which still hands over the partition's records."""
    lane = bench.lane()
    settle(bench, [lane], 3)
    bench.start("twice:a", 1)
    take = lane._consumer.take

    def moved_meanwhile(records_max: int, timeout_s: float) -> list[Record]:
        records = take(records_max, timeout_s)
        if records:
            monkeypatch.undo()
            lane._lost([Partition(NAMES.commands, HOME)])
            lane._assigned([Partition(NAMES.commands, HOME)])
        return records

    monkeypatch.setattr(lane._consumer, "take", moved_meanwhile)
    assert lane.step(0.1) == 0
    bench.run([lane], lambda: bool(bench.answers))
    lane.close()


def test_a_forgotten_id_may_live_again(bench: Bench) -> None:
    """Rule 1, and what the lane has decoded goes with the flow."""
    lane = bench.lane()
    for life in (1, 2):
        bench.start("twice:a", life)
        bench.run([lane], lambda life=life: len(bench.answers) == life)  # type: ignore[misc]
        settle(bench, [lane])
    assert len({h.run for h in bench.histories()}) == 2
    lane.close()


class Ahead:
    """A clock that is a minute ahead."""

    def now_ms(self) -> int:
        return SystemClock().now_ms() + 60_000

    def monotonic_s(self) -> float:
        return SystemClock().monotonic_s()


def test_a_shard_waits_before_a_record_that_is_ahead_of_the_engines_clock() -> None:
    """Rule 6."""
    bench = Bench(EmbeddedLog.memory(clock=Ahead()))
    bench.set_up()
    lane = bench.lane()
    bench.start("twice:a", 1)
    bench.start("twice:a", 2)  # behind it: it must not overtake
    settle(bench, [lane])
    assert lane.shards[HOME].state.next_offset == 0
    lane._clock = Ahead()
    bench.run([lane], lambda: bool(bench.answers))
    assert bench.answers[0].output == 1
    lane.close()
    bench.log.close()
