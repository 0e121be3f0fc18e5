"""Child flows over shards and lanes that die: each child lives once, and each parent hears of its end once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest

from sfc.engine.commands import ChildEnded, Hold, Pause, Resume, Signal, Start, Stop
from sfc.engine.events import AnyEvent
from sfc.ports import Partition, Position
from sfc.runtime.lane import Lane
from sfc.wire import headers
from sfc.wire.commands import Received, decode_command, encode_command
from sfc.wire.definitions import BlueprintHead, BlueprintVersion
from sfc.wire.partition import partition_of
from sfc.wire.state import decode_shard
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle


def define(bench: Bench, name: str, states: dict[str, Any], group: str = "") -> None:
    document = {"StartAt": next(iter(states)), "States": states, "Sfc": {"Name": name, **({"Group": group} if group else {})}}
    bench.define(BlueprintVersion(name, 1, f"h-{name}", document))
    bench.define(BlueprintHead(name, 1, "enabled", 1))


def work(resource: str, **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": resource, **({} if "Next" in fields else {"End": True}), **fields}


@pytest.fixture
def family(bench: Bench) -> Bench:
    """``up`` starts two children of ``down`` side by side; each has one job. ``wait`` has a child that waits for a signal."""
    define(bench, "down", {"Work": work("task:echo@1", ResultPath="$.done")}, "retail")
    branches = [{"StartAt": name, "States": {name: work("blueprint:down@1")}} for name in ("L", "R")]
    define(bench, "up", {"Both": {"Type": "Parallel", "Branches": branches, "End": True}}, "retail")
    each = {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "One", "States": {"One": work("task:echo@1")}}
    define(bench, "many", {"Each": {"Type": "Map", "ItemProcessor": each, "MaxConcurrency": 7, "End": True}}, "retail")
    define(bench, "asked", {"Ask": work("signal:go")})
    define(bench, "wait", {"Child": work("blueprint:asked@1")}, "retail")
    return bench


def commands(bench: Bench) -> list[tuple[str, Received]]:
    return [
        ((r.key or b"").decode(), decode_command(r.key, r.value, list(r.headers)))
        for r in bench.all(NAMES.commands)
        if headers.find(r.headers, headers.COMMAND)
    ]


def said(bench: Bench) -> dict[str, list[AnyEvent]]:
    """The events of each flow, in order."""
    found: dict[str, list[AnyEvent]] = {}
    for record in bench.histories():
        found.setdefault(record.flow, []).extend(record.events)
    return found


def children(bench: Bench, kind: type = Start) -> set[str]:
    return {flow for flow, received in commands(bench) if isinstance(received.command, kind) and received.source.startswith("shard/")}


def check(bench: Bench, flows: int) -> None:
    """Every flow has one start, dense events and one end; every parent has an answer of each of its children."""
    for events in said(bench).values():
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        kinds = Counter(type(event).__name__ for event in events)
        assert kinds["ExecutionStarted"] == kinds["ExecutionSucceeded"] == 1
    assert len(said(bench)) == 3 * flows
    assert len(bench.answers) == flows
    assert all(answer.output == [{"n": 1, "done": {"n": 1}}] * 2 for answer in bench.answers)


def test_children_live_on_shards_of_their_own_and_answer(family: Bench) -> None:
    lane = family.lane()
    flows = [f"up:{n}" for n in range(6)]
    for flow in flows:
        family.start(flow, {"n": 1})
    family.run([lane], lambda: len(family.answers) == len(flows))
    settle(family, [lane])
    check(family, len(flows))
    homes = {partition_of(child.encode(), SHARDS) for child in children(family) if child.startswith("down:up:1.")}
    assert len(homes) == SHARDS, "the children of one flow are on different shards"
    lane.close()


@pytest.mark.parametrize("seed", range(8))
def test_no_child_is_lost_or_doubled_by_lanes_that_die(family: Bench, seed: int) -> None:
    """A lane goes without a word after a few steps, before or behind its commits; its successor decides again."""
    flows = [f"up:{n}" for n in range(5)]
    for flow in flows:
        family.start(flow, {"n": 1})
    for life in range(10):
        lane = family.lane()
        for step in range(1 + (seed * 7 + life * 3) % 9):
            lane.step(0.003 if step % 2 else 0)
            if (seed + life + step) % 3 == 0:
                family.work()
        lane._drop_all()  # dies: what is decided and not committed is gone, what it sent stays
        lane._consumer.close()
        lane._outlets.close()
    last = family.lane()
    family.run([last], lambda: len({answer.id for answer in family.answers}) == len(flows))
    settle(family, [last])
    started = Counter(flow for flow, events in said(family).items() for event in events if type(event).__name__ == "ExecutionStarted")
    assert set(started.values()) == {1}
    assert len(started) == 3 * len(flows)
    for events in said(family).values():
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
    last.close()


@pytest.mark.parametrize("seed", range(4))
def test_iterations_of_a_distributed_map_live_once_through_lanes_that_die(family: Bench, seed: int) -> None:
    items = list(range(30))
    family.start("many:1", items)
    for life in range(6):
        lane = family.lane()
        for step in range(2 + (seed * 5 + life * 3) % 11):
            lane.step(0.003 if step % 2 else 0)
            if (seed + life + step) % 3 == 0:
                family.work()
        lane._drop_all()
        lane._consumer.close()
        lane._outlets.close()
    last = family.lane()
    family.run([last], lambda: bool(family.answers))
    assert family.answers[0].output == items
    settle(family, [last])
    histories = said(family)
    assert len(histories) == 31
    for events in histories.values():
        kinds = Counter(type(event).__name__ for event in events)
        assert kinds["ExecutionStarted"] == kinds["ExecutionSucceeded"] == 1
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert len({partition_of(flow.encode(), SHARDS) for flow in histories}) == SHARDS
    last.close()


def test_what_is_sent_again_has_the_same_name_and_is_dropped(family: Bench) -> None:
    """The lane dies behind its effects and before its commit."""
    lane = family.lane()
    family.start("up:1", {"n": 1})
    shards = lane.shards
    family.run([lane], lambda: bool(shards), work=False)
    for shard in shards.values():
        shard.commit = lambda: None  # type: ignore[method-assign]  # it comes no further
    family.run([lane], lambda: len(children(family)) == 2, work=False)
    lane._drop_all()
    lane._consumer.close()
    second = family.lane()
    family.run([second], lambda: bool(family.answers))
    settle(family, [second])
    sent = [(flow, r.source, r.mark) for flow, r in commands(family) if isinstance(r.command, Start) and r.source]
    assert len(sent) == 4
    assert Counter(sent).most_common(1)[0][1] == 2
    check(family, 1)
    assert sum(_records(family)) == 2, "counted as repeated"
    second.close()


def _records(bench: Bench) -> list[int]:
    latest = {r.key: decode_shard(r.value or b"").repeated for r in bench.all(NAMES.state) if (r.key or b"").startswith(b"/shard/")}
    return list(latest.values())


def alive(bench: Bench, lane: Lane, flow: str) -> Any:
    return lane.shards[partition_of(flow.encode(), SHARDS)].flow(flow)


def one_child(bench: Bench, lane: Lane, flow: str = "wait:1") -> str:
    bench.start(flow, {"n": 1})
    bench.run([lane], lambda: bool(children(bench)), work=False)
    settle(bench, [lane])
    (child,) = children(bench)
    return child


def test_a_stopped_parent_stops_its_child_whose_report_comes_too_late(family: Bench) -> None:
    lane = family.lane()
    child = one_child(family, lane)
    assert alive(family, lane, child).running
    family.command("wait:1", Stop())
    settle(family, [lane])
    assert alive(family, lane, child).status == "ABORTED"
    assert alive(family, lane, child).error == "SFC.ParentEnded"
    assert children(family, ChildEnded) == {"wait:1"}
    assert sum(shard.state.dropped_replies for shard in lane.shards.values()) == 1
    lane.close()


def test_a_child_that_has_ended_is_heard_by_a_parent_whose_lane_was_away(family: Bench) -> None:
    """Its report lies in the log of the parent's shard until somebody has it."""
    lane = family.lane()
    child = one_child(family, lane)
    lane.close()
    family.command(child, Signal("go", {"said": 1}))
    second = family.lane()
    family.run([second], lambda: bool(family.answers))
    assert family.answers[-1].output == {"said": 1}
    second.close()


def test_a_pause_and_a_resume_reach_the_child(family: Bench) -> None:
    lane = family.lane()
    child = one_child(family, lane)
    family.command("wait:1", Pause())
    settle(family, [lane])
    family.command(child, Signal("go", 1))
    settle(family, [lane])
    assert alive(family, lane, child).running
    assert [h.summary.paused_by for h in family.histories() if h.flow == child][-1] == ["flow:wait:1"]
    lane.close()
    second = family.lane()
    family.command("wait:1", Resume())
    family.run([second], lambda: bool(family.answers))
    assert family.answers[-1].output == 1
    second.close()


@pytest.mark.parametrize("subject", ["blueprint:wait", "version:wait@1", "group:retail"])
def test_a_hold_of_the_parents_blueprint_holds_the_child_through_restores(family: Bench, subject: str) -> None:
    def hold(revision: int, *, held: bool) -> None:
        for n in range(SHARDS):
            value, head = encode_command(Hold(subject, revision, held), f"registry/{subject}", (revision,))
            family.producer.send(NAMES.commands, value, f"/hold/{subject}".encode(), head, n)
        family.producer.flush()

    lane = family.lane()
    child = one_child(family, lane)
    hold(1, held=True)
    settle(family, [lane])
    family.command(child, Signal("go", 1))
    settle(family, [lane])
    assert alive(family, lane, child).running
    lane.close()
    second = family.lane()
    hold(2, held=False)
    family.run([second], lambda: bool(family.answers))
    assert family.answers[-1].output == 1
    second.close()


def test_a_start_names_the_definitions_that_its_sender_knew(family: Bench) -> None:
    lane = family.lane()
    one_child(family, lane)
    (start,) = [r.command for _, r in commands(family) if isinstance(r.command, Start) and r.source]
    assert start.definitions == family.log.ends([Partition(NAMES.definitions, 0)])[Partition(NAMES.definitions, 0)]
    lane.close()


def test_positions_of_a_group_are_for_display_only(family: Bench) -> None:
    """A successor takes its place from the shard's own record: nothing is started twice by it."""
    lane = family.lane()
    family.start("up:1", {"n": 1})
    family.run([lane], lambda: bool(family.answers))
    settle(family, [lane])
    lane.close()
    family.log.set_group_positions(NAMES.engine_group, {Partition(NAMES.commands, n): Position(0) for n in range(SHARDS)})
    second = family.lane()
    settle(family, [second])
    check(family, 1)
    second.close()


@pytest.mark.parametrize("refused", ["start", "child-ended"])
def test_a_parent_does_not_wait_for_what_the_intake_refuses(family: Bench, refused: str) -> None:
    """A start or an end that can't be carried out is a dead letter, and ends the wait that it was about."""
    lane = family.lane()
    family.start("wait:1", {"n": 1})
    family.run([lane], lambda: bool(children(family)))
    ((child, received),) = [(flow, r) for flow, r in commands(family) if isinstance(r.command, Start) and r.command.parent is not None]
    assert isinstance(received.command, Start)
    parent = received.command.parent
    assert parent is not None
    if refused == "start":
        family.command(child, msgspec.structs.replace(received.command, entry="x" * 2_000))
    else:
        family.command("wait:1", ChildEnded(parent.token, "S" * 2_000))
    family.run([lane], lambda: bool(family.answers))
    (answer,) = family.answers
    assert (answer.status, answer.error) == ("FAILED", "SFC.ChildNotStarted" if refused == "start" else "States.DataLimitExceeded")
    assert "takes up to 1000 characters" in (answer.cause or "")
    assert [headers.text(r.headers, headers.REASON) for r in family.dead_letters()] == ["too-large"]
    lane.close()


@pytest.mark.parametrize(
    "token", ["", "nonsense", "other:1/2/3/abc", "wait:1/2/3/" + "x" * 2_000], ids=["none", "nonsense", "other", "long"]
)
def test_a_refused_end_that_names_no_wait_is_told_to_nobody(family: Bench, token: str) -> None:
    lane = family.lane()
    family.command("wait:1", ChildEnded(token, "S" * 2_000))
    family.run([lane], lambda: bool(family.dead_letters()))
    settle(family, [lane])
    assert len(commands(family)) == 1
    lane.close()
