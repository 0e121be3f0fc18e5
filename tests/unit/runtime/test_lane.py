"""A lane over the memory log, with a worker in the test's own hands."""

from __future__ import annotations

import msgspec
import pytest

from sfc.engine.commands import Hold, ReplyTo, Start
from sfc.errors import ProducerFenced
from sfc.runtime.lane import LaneLimits
from sfc.wire import headers
from sfc.wire.commands import encode_command
from sfc.wire.partition import partition_of
from sfc.wire.replies import Answer
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle


def test_a_start_becomes_a_flow_that_ends(bench: Bench) -> None:
    lane = bench.lane()
    bench.start("twice:a", {"x": 1})
    bench.run([lane], lambda: bool(bench.answers))
    assert bench.answers == [Answer("twice:a", "twice:a", "SUCCEEDED", {"x": 1})]
    settle(bench, [lane])
    events = [e for h in bench.histories() for e in h.events]
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    assert bench.histories()[-1].summary.status == "SUCCEEDED"
    lane.close()


def test_a_flow_that_comes_and_goes_in_one_interval_writes_no_state(bench: Bench) -> None:
    lane = bench.lane()
    lane._limits = LaneLimits(interval_s=30)
    bench.start("twice:a", {"x": 1})
    bench.run([lane], lambda: bool(bench.answers))
    lane.close()
    assert {r.key for r in bench.all(NAMES.state)} == {b"/shard/0", b"/shard/1"}


def test_a_repeated_command_of_a_source_is_dropped_and_counted(bench: Bench) -> None:
    lane = bench.lane()
    bench.start("twice:a", 1, source="trigger/t", mark=(0, 5))
    bench.run([lane], lambda: len(bench.answers) == 1)
    bench.start("twice:a", 1, source="trigger/t", mark=(0, 5))
    bench.start("twice:a", 1, source="trigger/t", mark=(0, 4))
    settle(bench, [lane])
    assert len(bench.answers) == 1
    assert sum(s.state.repeated for s in lane.shards.values()) == 2
    lane.close()


def test_a_second_answer_is_dropped_and_counted(bench: Bench) -> None:
    lane = bench.lane()
    bench.start("twice:a", 1)
    jobs = bench.await_jobs(lane)
    bench.answer(jobs[0], b"1")
    bench.answer(jobs[0], b"2")
    bench.run([lane], lambda: bool(bench.answers))
    assert bench.answers[0].output == 1
    assert sum(s.state.dropped_replies for s in lane.shards.values()) == 1
    lane.close()


def test_nonsense_tokens_and_unknown_records_are_dead_letters(bench: Bench) -> None:
    lane = bench.lane()
    key = b"twice:a"
    partition = partition_of(key, SHARDS)
    bench.producer.send(NAMES.commands, b"1", key, [(headers.JOB, b"what")], partition)
    bench.producer.send(NAMES.commands, b"1", key, [], partition)
    bench.producer.flush()
    bench.run([lane], lambda: len(bench.dead_letters()) == 2)
    reasons = [headers.text(r.headers, headers.REASON) for r in bench.dead_letters()]
    assert reasons == ["unknown-token", "no-command"]
    lane.close()


def test_an_answer_that_is_no_json_is_a_dead_letter_and_fails_its_attempt(bench: Bench) -> None:
    lane = bench.lane()
    bench.start("twice:a", 1)
    jobs = bench.await_jobs(lane)
    bench.answer(jobs[0], b"{no")
    bench.run([lane], lambda: bool(bench.answers))
    assert bench.answers[0].status == "FAILED"
    assert [headers.text(r.headers, headers.REASON) for r in bench.dead_letters()] == ["not-json"]
    lane.close()


def test_a_command_on_the_wrong_partition_is_forwarded_once(bench: Bench) -> None:
    lane = bench.lane()
    key = b"twice:a"
    value, head = encode_command(Start("twice", 1, "h-twice", 7, wait=ReplyTo(NAMES.replies, "test", "twice:a")))
    bench.producer.send(NAMES.commands, value, key, head, 1 - partition_of(key, SHARDS))
    bench.producer.flush()
    bench.run([lane], lambda: bool(bench.answers))
    assert bench.answers[0].output == 7
    lane.close()


def test_a_successor_decides_again_and_the_zombie_is_fenced(bench: Bench) -> None:
    """The first lane decides and sends the job, but dies before its interval is committed."""
    first = bench.lane()
    first._limits = LaneLimits(interval_s=30)
    bench.start("twice:a", {"x": 1})
    jobs = bench.await_jobs(first)
    zombies = dict(first.shards)
    first._consumer.pause(list(first._consumer.assignment()))
    first._shards.clear()  # it hears nothing any more: neither closes nor commits
    first._consumer.close()
    second = bench.lane()
    again = bench.await_jobs(second)
    assert (again[0].key, again[0].value, list(again[0].headers)) == (jobs[0].key, jobs[0].value, list(jobs[0].headers))
    with pytest.raises(ProducerFenced):
        zombies[partition_of(b"twice:a", SHARDS)].commit()
    bench.answer(jobs[0], b"1")
    bench.answer(again[0], b"1")
    bench.run([second], lambda: bool(bench.answers))
    settle(bench, [second])
    assert [a.status for a in bench.answers] == ["SUCCEEDED"]
    assert sum(s.state.dropped_replies for s in second.shards.values()) == 1
    second.close()


def test_a_shard_moves_to_a_second_lane_without_losing_a_flow(bench: Bench) -> None:
    first = bench.lane()
    for n in range(20):
        bench.start(f"twice:{n}", n)
    bench.run([first], lambda: len(first.shards) == SHARDS, work=False)
    second = bench.lane()
    bench.run([first, second], lambda: len(bench.answers) == 20)
    assert sorted(a.output for a in bench.answers) == list(range(20))
    assert len(first.shards) == len(second.shards) == 1
    first.close()
    second.close()


def test_a_topic_state_ends_when_its_record_is_committed(bench: Bench) -> None:
    lane = bench.lane()
    bench.start("tell:a", {"said": True})
    bench.run([lane], lambda: bool(bench.answers))
    assert bench.answers[0].output == {"said": True}
    assert [msgspec.json.decode(r.value or b"") for r in bench.all("audit")] == [{"said": True}]
    lane.close()


def test_a_wait_ends_by_a_tick(bench: Bench) -> None:
    lane = bench.lane()
    bench.start("nap:a", 5)
    bench.run([lane], lambda: bool(bench.answers), steps_max=1_000)
    assert bench.answers[0].output == 5
    lane.close()


def test_a_held_blueprint_dispatches_nothing_until_it_is_woken(bench: Bench) -> None:
    lane = bench.lane()
    for n in range(SHARDS):
        value, head = encode_command(Hold("blueprint:twice", 7, True), "registry/blueprint:twice", (7,))
        bench.producer.send(NAMES.commands, value, b"/hold/blueprint:twice", head, n)
    bench.producer.flush()
    for n in range(10):
        bench.start(f"twice:{n}", n)
    settle(bench, [lane])
    assert bench.jobs.take(10, 0) == []
    assert {b for h in bench.histories() for b in h.summary.paused_by} == {"blueprint:twice"}
    for n in range(SHARDS):
        value, head = encode_command(Hold("blueprint:twice", 8, False), "registry/blueprint:twice", (8,))
        bench.producer.send(NAMES.commands, value, b"/hold/blueprint:twice", head, n)
    bench.producer.flush()
    bench.run([lane], lambda: len(bench.answers) == 10)
    lane.close()
