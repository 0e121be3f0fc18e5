"""The careful pass: a command that kills the lanes which decide it stops its shard alone, and can be left out (EXACTLY-ONCE 26)."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.adapters.clock import SystemClock
from sfc.adapters.embedded import EmbeddedLog
from sfc.adapters.memory_store import MemoryStateStore
from sfc.engine import decide as decide_module
from sfc.engine.commands import Fire
from sfc.engine.shard import ShardState
from sfc.errors import NotPossible, ShardStopped
from sfc.ports import Partition
from sfc.runtime.attempts import CAREFUL_TRIES_MAX, TRIES_MAX, Attempts, careful, got_on
from sfc.runtime.definitions import Definitions
from sfc.runtime.lane import Lane, LaneLimits
from sfc.runtime.skipping import retry_command, skip_command
from sfc.wire import headers
from sfc.wire.partition import partition_of
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle

POISON = "twice:poison"
HOME = partition_of(POISON.encode(), SHARDS)
HERE = [f for n in range(99) if partition_of((f := f"twice:{n}").encode(), SHARDS) == HOME][:6]
ELSEWHERE = next(f for n in range(99) if partition_of((f := f"twice:{n}").encode(), SHARDS) != HOME)


class Death(BaseException):
    """What a process dies of."""


class Poison:
    """Plants it in decide. ``how``: what is raised for the flow; None: nothing. ``after``: only for this kind of command."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.how: BaseException | None = Death()
        self.flow = POISON
        self.kind: type = object
        self.seen = 0
        decide = decide_module.decide

        def planted(program: Any, flow: Any, command: Any, shard: Any, offset: int, flow_id: str, missing: Any) -> Any:
            if flow_id == self.flow and isinstance(command, self.kind):
                self.seen += 1
                if self.how is not None:
                    raise self.how
            return decide(program, flow, command, shard, offset, flow_id, missing)

        monkeypatch.setattr("sfc.runtime.shard.decide", planted)


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Poison:
    monkeypatch.setattr("sfc.runtime.lane.LOOK_AT_STOPPED_S", 0.0)
    return Poison(monkeypatch)


def lane_of(bench: Bench, attempts: Attempts) -> Lane:
    definitions = Definitions(bench.log, NAMES)
    return Lane(bench.log, NAMES, SHARDS, definitions, MemoryStateStore(), SystemClock(), LaneLimits(interval_s=0.02), attempts)


def live_and_die(bench: Bench, poison: Poison, *, steps: int = 60) -> tuple[Lane, int]:
    """Engines, one after the other, until one stays alive; how many died."""
    for deaths in range(20):
        lane = lane_of(bench, Attempts(f"life-{deaths}"))
        try:
            for _ in range(steps):
                lane.step(0.002)
                bench.work()
        except (Death, RuntimeError):
            lane._consumer.close()  # the group notices
            continue
        return lane, deaths
    raise AssertionError("they die for ever")


def test_a_command_that_kills_its_lanes_stops_its_shard_alone_and_skip_mends_it(bench: Bench, poison: Poison) -> None:
    for flow in (*HERE[:3], POISON, *HERE[3:], ELSEWHERE):
        bench.start(flow, 1)
    lane, deaths = live_and_die(bench, poison)
    assert deaths == TRIES_MAX + CAREFUL_TRIES_MAX + 1  # one of them behind the commit of the command before
    assert list(lane.stopped) == [HOME]
    assert "shard 0 stops before its command at offset 3" in lane.stopped[HOME].replace(str(HOME), "0", 1)
    assert f"sfc doctor --skip {HOME}@3" in lane.stopped[HOME]
    bench.run([lane], lambda: ELSEWHERE in {a.flow for a in bench.answers})
    told = skip_command(bench.log, NAMES, HOME, 3)
    assert (told.key, told.flow) == (POISON, "")
    bench.run([lane], lambda: {a.flow for a in bench.answers} == {*HERE, ELSEWHERE})
    assert not lane.stopped
    letters = bench.dead_letters()
    assert [(r.key, headers.text(r.headers, headers.REASON)) for r in letters] == [(POISON.encode(), "skipped")]
    starts = [h.flow for h in bench.histories() for e in h.events if type(e).__name__ == "ExecutionStarted"]
    assert sorted(starts) == sorted([*HERE, ELSEWHERE])
    lane.close()


def test_what_deciding_raises_stops_the_shard_in_the_careful_pass(bench: Bench, poison: Poison) -> None:
    """The lane outlives it then: the others of its shards are not restored once more."""
    poison.how = RuntimeError("a bug")
    bench.start(POISON, 1)
    lane, deaths = live_and_die(bench, poison)
    assert deaths == TRIES_MAX
    assert "RuntimeError: a bug" in lane.stopped[HOME]
    assert sorted(lane.shards) == [1 - HOME]
    lane.close()


def test_one_that_is_tried_again_after_the_cause_was_mended_is_carried_out(bench: Bench, poison: Poison) -> None:
    bench.start(POISON, 1)
    lane, _ = live_and_die(bench, poison)
    assert lane.stopped
    poison.how = None
    retry_command(bench.log, NAMES, HOME, 0)
    bench.run([lane], lambda: bool(bench.answers))
    assert (bench.answers[0].flow, bench.answers[0].status) == (POISON, "SUCCEEDED")
    lane.close()


def test_a_timer_that_kills_its_lanes_is_named_and_its_tick_skipped(bench: Bench, poison: Poison) -> None:
    """Its flow is passed over from then on; others due at the same time fire."""
    napping = [f for n in range(99) if partition_of((f := f"nap:{n}").encode(), SHARDS) == HOME][:3]
    poison.kind, poison.flow = Fire, napping[1]
    for flow in napping:
        bench.start(flow, 1)
    lane, deaths = live_and_die(bench, poison, steps=900)
    assert deaths >= TRIES_MAX + CAREFUL_TRIES_MAX
    assert f"at the timer of the flow {napping[1]}" in lane.stopped[HOME]
    offset = int(lane.stopped[HOME].split(f"--skip {HOME}@")[1].split("`")[0])
    assert skip_command(bench.log, NAMES, HOME, offset).flow == napping[1]
    bench.run([lane], lambda: {a.flow for a in bench.answers} == {napping[0], napping[2]})
    assert lane.shards[HOME].state.passed_over == [napping[1]]
    lane.close()


class ByHand:
    """A clock that goes when it is told to."""

    ms = 1_000_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


def test_effects_of_a_tick_leave_in_the_careful_pass_when_all_of_it_is_decided(poison: Poison, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a tick that is left out has left nothing behind."""
    clock = ByHand()
    bench = Bench(EmbeddedLog.memory(clock=clock))
    bench.set_up()
    first, last = sorted(f for n in range(9) if partition_of((f := f"nap:{n}").encode(), SHARDS) == HOME)[:2]
    poison.how, poison.flow, poison.kind = None, last, Fire
    lane = Lane(bench.log, NAMES, SHARDS, Definitions(bench.log, NAMES), MemoryStateStore(), clock, None, Attempts("one"))
    bench.start(first, 1)
    bench.start(last, 1)
    settle(bench, [lane], 5)
    shard = lane.shards[HOME]
    shard.commit()
    shard.state.tries, shard.state.careful_until = 1, 10**6
    left: list[tuple[str, int]] = []
    monkeypatch.setattr(lane._outlets, "reply", lambda reply: left.append((reply.flow, poison.seen)))
    clock.ms += 2_000
    settle(bench, [lane], 5)
    assert left == [(first, 1), (last, 1)]
    lane.close()
    bench.log.close()


def test_a_shard_that_goes_on_is_not_skipped(bench: Bench) -> None:
    lane = lane_of(bench, Attempts("one"))
    bench.start(POISON, 1)
    bench.run([lane], lambda: bool(bench.answers))
    settle(bench, [lane])
    with pytest.raises(NotPossible, match="goes on"):
        skip_command(bench.log, NAMES, HOME, 0)
    with pytest.raises(NotPossible, match="has no offset"):
        skip_command(bench.log, NAMES, HOME, 10**6)
    bench.start(POISON, 2)
    bench.run([lane], lambda: len(bench.answers) == 2)  # nobody fenced it
    lane.close()


def test_only_the_command_before_which_the_shard_stands_is_skipped(bench: Bench, poison: Poison) -> None:
    bench.start(POISON, 1)
    bench.start(POISON, 2)
    lane, _ = live_and_die(bench, poison)
    with pytest.raises(NotPossible, match="stands at offset 0, not at 1"):
        skip_command(bench.log, NAMES, HOME, 1)
    lane.close()


def test_nothing_is_written_for_a_shard_on_which_nothing_waits_and_once_where_something_does(bench: Bench) -> None:
    lane = lane_of(bench, Attempts("one"))
    settle(bench, [lane], 3)
    assert bench.all(NAMES.state) == []
    lane.close()
    closed = len(bench.all(NAMES.state))
    bench.start(POISON, 1)
    second = lane_of(bench, Attempts("two"))
    second._limits = LaneLimits(interval_s=30)
    settle(bench, [second], 3)
    assert len(bench.all(NAMES.state)) == closed + 1
    second._drop_all()
    second.close()


def test_tries_are_counted_by_deaths_without_progress() -> None:
    state = ShardState(0, next_offset=5)
    one, two = Attempts("one"), Attempts("two")
    assert not one.begin(state, 5, closed=False)  # nothing waits
    assert one.begin(state, 9, closed=False)
    assert not one.begin(state, 9, closed=False)  # the process outlived whatever it was
    assert not two.begin(state, 9, closed=True)  # given up cleanly
    one.raised(0)
    assert one.begin(state, 9, closed=False)
    assert (state.tries, careful(state)) == (2, False)
    assert two.begin(state, 10**9, closed=False)
    assert careful(state)
    assert state.tries == 1
    assert state.careful_until < 100_000
    state.next_offset += 1
    got_on(state)
    assert (state.tries, careful(state)) == (0, True)  # whoever commits one need not have begun with the next
    for engine in (one, two, one):
        assert engine.begin(state, 10**9, closed=False)
    with pytest.raises(ShardStopped, match="3 engines died"):
        two.begin(state, 10**9, closed=False)
    state.next_offset = state.careful_until
    got_on(state)
    assert state == ShardState(0, next_offset=state.next_offset)


def test_a_long_careful_pass_leaves_the_other_shards_their_turn(bench: Bench, poison: Poison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfc.runtime.lane.CAREFUL_PER_TURN", 2)
    poison.how = None
    lane = lane_of(bench, Attempts("one"))
    settle(bench, [lane], 3)
    shard = lane.shards[HOME]
    shard.state.tries, shard.state.careful_until = 1, 10**6
    for flow in HERE:
        bench.start(flow, 1)
    assert lane.step(0.05) == 2
    bench.run([lane], lambda: len(bench.answers) == len(HERE))
    assert Partition(NAMES.commands, HOME) in lane._consumer.assignment()
    lane.close()
