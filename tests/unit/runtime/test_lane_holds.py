"""Holds of versions, groups and tasks on a lane: waking in portions, through restores, and what is parked meanwhile."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from sfc.engine.commands import Command, Hold, Origin, Start, Tick
from sfc.engine.events import ExecutionResumed
from sfc.ports import Record
from sfc.runtime.lane import Lane, LaneLimits
from sfc.runtime.shard import OwnedShard
from sfc.wire import headers
from sfc.wire.commands import encode_command
from sfc.wire.definitions import BlueprintHead, BlueprintVersion
from sfc.wire.partition import partition_of
from sfc.wire.state import shard_key
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle

HOME = 0
T0 = 1_700_000_000_000
CALL = {"Type": "Task", "Resource": "task:echo@1", "TimeoutSeconds": 10, "End": True}


def define(bench: Bench, name: str, states: dict[str, Any], group: str = "", version: int = 1) -> None:
    document = {"StartAt": next(iter(states)), "States": states, "Sfc": {"Name": name, **({"Group": group} if group else {})}}
    bench.define(BlueprintVersion(name, version, f"h-{name}" if version == 1 else f"h-{name}-{version}", document))
    bench.define(BlueprintHead(name, version, "enabled", version))


def at_home(name: str, count: int) -> list[str]:
    """So many flow ids of a blueprint that belong to the shard, in order."""
    found: list[str] = []
    n = 0
    while len(found) < count:
        flow_id = f"{name}:{n:05}"
        if partition_of(flow_id.encode(), SHARDS) == HOME:
            found.append(flow_id)
        n += 1
    return found


def hold_everywhere(bench: Bench, subject: str, revision: int, *, held: bool) -> None:
    for n in range(SHARDS):
        value, head = encode_command(Hold(subject, revision, held), f"registry/{subject}", (revision,))
        bench.producer.send(NAMES.commands, value, f"/hold/{subject}".encode(), head, n)
    bench.producer.flush()


class Fed:
    """A shard that takes its commands from the test's own hand, at times of the test's choice (milliseconds after the first)."""

    def __init__(self, bench: Bench, lane: Lane) -> None:
        self.lane = lane
        bench.run([lane], lambda: HOME in lane.shards, work=False)
        self.shard: OwnedShard = lane.shards[HOME]

    def take(self, key: str, command: Command, after_ms: int) -> None:
        value, head = encode_command(command)
        offset = self.shard.state.next_offset
        self.shard.take(Record(NAMES.commands, HOME, offset, key.encode(), value, tuple(head), T0 + after_ms, T0 + after_ms))

    def start(self, flow: str, after_ms: int = 0, version: int = 1) -> None:
        name = flow.partition(":")[0]
        self.take(flow, Start(name, version, f"h-{name}" if version == 1 else f"h-{name}-{version}", {"n": 1}), after_ms)

    def hold(self, subject: str, revision: int, held: bool, after_ms: int, freeze: bool = True) -> None:
        self.take(f"/hold/{subject}", Hold(subject, revision, held, freeze), after_ms)

    def tick(self, after_ms: int) -> None:
        self.take(shard_key(HOME).decode(), Tick(T0 + after_ms), after_ms)

    def status(self, flow: str) -> str:
        found = self.shard.flow(flow)
        return "" if found is None else found.status

    def stands(self, flow: str) -> bool:
        found = self.shard.flow(flow)
        assert found is not None
        return found.branches[0].phase == "entered"


def test_a_group_holds_the_flows_of_all_its_blueprints_and_no_other(bench: Bench) -> None:
    define(bench, "red", {"A": CALL}, "retail")
    define(bench, "green", {"A": CALL}, "retail")
    define(bench, "blue", {"A": CALL}, "food")
    lane = bench.lane()
    hold_everywhere(bench, "group:retail", 3, held=True)
    for name in ("red", "green", "blue"):
        for n in range(5):
            bench.start(f"{name}:{n}", n)
    bench.run([lane], lambda: len(bench.answers) == 5)
    settle(bench, [lane])
    assert {a.flow.partition(":")[0] for a in bench.answers} == {"blue"}
    shown = {h.flow.partition(":")[0]: h.summary.paused_by for h in bench.histories()}
    assert shown == {"red": ["group:retail"], "green": ["group:retail"], "blue": []}
    hold_everywhere(bench, "group:retail", 4, held=False)
    bench.run([lane], lambda: len(bench.answers) == 15)
    lane.close()


def test_a_version_is_held_and_the_next_one_goes_on(bench: Bench) -> None:
    define(bench, "red", {"A": CALL})
    define(bench, "red", {"A": CALL, "B": CALL}, version=2)
    fed = Fed(bench, bench.lane())
    old, new = at_home("red", 2)
    fed.hold("version:red@1", 1, True, 0)
    fed.start(old)
    fed.start(new, version=2)
    assert (fed.stands(old), fed.stands(new)) == (True, False)
    fed.hold("version:red@1", 2, False, 10)
    fed.tick(20)
    assert not fed.stands(old)
    fed.lane.close()


def test_the_history_says_all_that_holds_a_flow_at_the_end_of_its_interval(bench: Bench) -> None:
    define(bench, "red", {"A": CALL}, "retail")
    fed = Fed(bench, bench.lane())
    [flow] = at_home("red", 1)
    for n, subject in enumerate(("blueprint:red", "version:red@1", "group:retail", "task:echo", "task:other")):
        fed.hold(subject, n + 1, True, n)
    fed.start(flow, 10)
    fed.shard.commit()
    assert bench.histories()[-1].summary.paused_by == ["blueprint:red", "version:red@1", "group:retail", "task:echo"]
    fed.lane.close()


def test_flows_are_looked_at_in_portions_and_only_those_of_the_subject_are_woken(bench: Bench) -> None:
    """2,500 flows on the shard, of which 1,900 are of the group; the others are passed over without an event."""
    define(bench, "red", {"A": CALL}, "retail")
    define(bench, "mid", {"A": CALL}, "food")
    fed = Fed(bench, bench.lane())
    others, held = at_home("mid", 600), at_home("red", 1900)
    fed.hold("group:retail", 1, True, 0)
    for flow in others + held:
        fed.start(flow)
    fed.shard.commit()
    bystander = fed.shard.flow(others[0])
    assert bystander is not None
    seq = bystander.seq
    fed.hold("group:retail", 2, False, 1000)
    woken = []
    for n in range(3):
        fed.tick(2000 + n)
        woken.append(sum(not fed.stands(flow) for flow in held))
        assert [flow for flow in held if not fed.stands(flow)] == held[: woken[-1]], "in the order of their ids"
        if n == 1:
            fed.shard.commit()  # whether a flow stands in the store or in the overlay makes no difference
    assert woken == [400, 1400, 1900]
    assert fed.shard.state.waking == []
    fed.shard.commit()
    bystander = fed.shard.flow(others[0])
    assert bystander is not None
    assert bystander.seq == seq
    resumed = Counter(h.flow for h in bench.histories() for e in h.events if isinstance(e, ExecutionResumed))
    assert resumed == Counter(held)
    fed.lane.close()


def test_a_flow_that_comes_to_the_task_in_mid_waking_waits_behind_the_cursor_and_goes_on_before_it(bench: Bench) -> None:
    define(bench, "red", {"A": CALL})
    fed = Fed(bench, bench.lane())
    flows = at_home("red", 1202)
    early, late = flows[0], flows[-1]
    fed.hold("task:echo", 1, True, 0)
    for flow in flows[1:-1]:
        fed.start(flow)
    fed.hold("task:echo", 2, False, 1000)
    fed.tick(1500)
    fed.start(early, 1600)
    fed.start(late, 1600)
    assert (fed.stands(early), fed.stands(late)) == (False, True)
    fed.tick(2600)
    assert not fed.stands(late)
    found = fed.shard.flow(late)
    assert found is not None
    assert found.branches[0].due_ms - T0 == 12_600
    fed.lane.close()


def test_a_second_hold_in_mid_waking_lets_nobody_go_twice_or_never(bench: Bench) -> None:
    define(bench, "red", {"A": CALL}, "retail")
    fed = Fed(bench, bench.lane())
    flows = at_home("red", 1500)
    fed.hold("group:retail", 1, True, 0)
    for flow in flows:
        fed.start(flow)
    fed.hold("group:retail", 2, False, 1000)
    fed.tick(1100)
    fed.hold("group:retail", 3, True, 1200)
    for n in range(3):
        fed.tick(1300 + n)
    assert [fed.stands(flow) for flow in flows] == [False] * 1000 + [True] * 500
    fed.hold("group:retail", 4, False, 2000)
    for n in range(3):
        fed.tick(2100 + n)
    assert not any(fed.stands(flow) for flow in flows)
    assert fed.shard.state.waking == []
    fed.lane.close()


@pytest.mark.parametrize("subject", ["blueprint:red", "version:red@1", "group:retail", "task:echo"])
@pytest.mark.parametrize(("freeze", "ends_ms"), [(True, 24_000), (False, 20_000)])
def test_a_job_found_overdue_under_a_hold_is_parked_and_comes_back_when_it_is_lifted(
    bench: Bench, subject: str, freeze: bool, ends_ms: int
) -> None:
    define(bench, "red", {"A": CALL}, "retail")
    fed = Fed(bench, bench.lane())
    [flow] = at_home("red", 1)
    fed.start(flow)
    fed.hold(subject, 1, True, 6000, freeze)
    fed.tick(19_000)
    assert (fed.status(flow), fed.shard.next_tick_in_s()) == ("RUNNING", float("inf"))
    fed.hold(subject, 2, False, 19_500)
    fed.tick(20_000)  # it fires what is due, then wakes
    assert fed.shard.next_tick_in_s() < float("inf")
    fed.tick(ends_ms - 1)
    assert fed.status(flow) == ("RUNNING" if freeze else "FAILED")
    fed.tick(ends_ms)
    assert fed.status(flow) == "FAILED"
    fed.lane.close()


@pytest.mark.parametrize("subject", ["group:retail", "task:echo"])
def test_flows_found_overdue_under_a_hold_keep_no_other_timer_waiting(bench: Bench, monkeypatch: pytest.MonkeyPatch, subject: str) -> None:
    monkeypatch.setattr("sfc.runtime.shard.FIRED_PER_TICK_MAX", 5)
    define(bench, "red", {"A": CALL}, "retail")
    define(bench, "nod", {"N": {"Type": "Wait", "Seconds": 15, "Next": "M"}, "M": {"Type": "Wait", "Seconds": 60, "End": True}}, "food")
    fed = Fed(bench, bench.lane())
    for flow in at_home("red", 9):
        fed.start(flow)
    [other] = at_home("nod", 1)
    fed.start(other)
    fed.hold(subject, 1, True, 1000)
    fed.tick(16_000)
    found = fed.shard.flow(other)
    assert found is not None
    assert found.branches[0].state == "M"
    fed.lane.close()


def test_a_hold_that_begins_to_freeze_counts_from_then(bench: Bench) -> None:
    define(bench, "red", {"A": CALL})
    fed = Fed(bench, bench.lane())
    [flow] = at_home("red", 1)
    fed.start(flow)
    fed.hold("task:echo", 1, True, 1000, freeze=False)
    fed.hold("task:echo", 2, True, 3000)
    fed.hold("task:echo", 3, True, 4000)  # said again: nothing new
    fed.hold("task:echo", 2, True, 4500, freeze=False)  # an older word
    fed.hold("task:echo", 4, False, 8000)
    fed.tick(8000)
    found = fed.shard.flow(flow)
    assert found is not None
    assert found.branches[0].due_ms - T0 == 15_000
    fed.lane.close()


def test_a_restore_in_mid_waking_goes_on_at_the_cursor(bench: Bench) -> None:
    """The first lane commits one portion, decides the next, and dies; its successor wakes everybody else, once."""
    define(bench, "red", {"A": CALL})
    first = bench.lane()
    flows = at_home("red", 2200)
    hold_everywhere(bench, "task:echo", 1, held=True)
    for flow in flows:
        bench.start(flow, 1)
    bench.run([first], lambda: len(first.shards) == SHARDS and not first.step(0), work=False)
    hold_everywhere(bench, "task:echo", 2, held=False)
    shard = first.shards[HOME]
    bench.run([first], lambda: bool(shard.state.waking), work=False)
    first._limits = LaneLimits(interval_s=60, commands_max=10_000_000)
    bench.run([first], lambda: bool(shard.state.waking) and shard.state.waking[0].cursor >= flows[999], work=False)
    shard.commit()
    cursor = shard.state.waking[0].cursor
    bench.run([first], lambda: not shard.state.waking or shard.state.waking[0].cursor > cursor, work=False)
    first._consumer.pause(list(first._consumer.assignment()))
    first._shards.clear()  # it hears nothing any more: neither closes nor commits
    first._consumer.close()
    second = bench.lane()
    bench.run([second], lambda: len(bench.answers) == len(flows), steps_max=3_000)
    settle(bench, [second])
    resumed = Counter(h.flow for h in bench.histories() for e in h.events if isinstance(e, ExecutionResumed))
    assert resumed == Counter(flows)
    assert {a.status for a in bench.answers} == {"SUCCEEDED"}
    second.close()


def test_a_refused_start_is_a_dead_letter_with_the_id_of_its_topic(bench: Bench) -> None:
    lane = bench.lane()
    origin = Origin("topic", "t", "orders", 3, 17)
    command = Start("nowhere", 1, "h", 1, origin=origin)
    bench.command("nowhere:a", command, "trigger/uid/cluster/topic-id/3", (0, 17))
    bench.run([lane], lambda: bool(bench.dead_letters()))
    [letter] = bench.dead_letters()
    assert headers.text(letter.headers, headers.ORIGIN_TOPIC_ID) == "topic-id"
    lane.close()
