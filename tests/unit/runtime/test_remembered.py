"""What a shard's record remembers has bounds, and nothing that may be needed is forgotten for them."""

from __future__ import annotations

import pytest

from sfc.engine.commands import Hold, Tick
from sfc.engine.shard import ShardState
from sfc.runtime.letters import Refused
from sfc.runtime.remembered import COUNTED_FROM, HOLDS_MAX, SILENT_DAYS, SOURCES_BYTES_MAX, is_new, take_hold
from sfc.wire import headers
from sfc.wire.commands import Received
from sfc.wire.state import decode_shard, encode_shard
from sfc.wire.topics import RECORD_BYTES_MAX
from tests.unit.runtime.lane_bench import Bench

DAY_MS = 86_400_000
NAME = 900  # characters of a source here: fewer of them fill the room


def hear(state: ShardState, number: int, mark: int = 1) -> bool:
    return is_new(state, Received(Tick(0), f"{number}/".ljust(NAME, "x"), (mark,)))


def full() -> ShardState:
    """As many sources as there is room for, all heard on day 100."""
    state = ShardState(0, clock_ms=100 * DAY_MS)
    while sum(map(len, state.marks)) + len(state.marks) * 60 + NAME <= SOURCES_BYTES_MAX:
        assert hear(state, len(state.marks))
    with pytest.raises(Refused) as refused:
        hear(state, len(state.marks))
    assert refused.value.reason == "too-many-sources"
    return state


def test_no_number_of_sources_makes_a_record_that_its_topic_does_not_take() -> None:
    state = full()
    assert COUNTED_FROM < len(state.marks) < SOURCES_BYTES_MAX / NAME
    assert len(encode_shard(state)) < RECORD_BYTES_MAX * 0.6
    assert decode_shard(encode_shard(state)) == state


def test_a_flood_of_sources_takes_no_known_one_its_mark() -> None:
    state = full()
    assert not hear(state, 0)
    assert not hear(state, 1, mark=0)
    assert hear(state, 0, mark=2)
    assert state.repeated == 2


def test_room_is_made_by_forgetting_who_was_silent_for_long() -> None:
    state = full()
    state.clock_ms += (SILENT_DAYS - 1) * DAY_MS
    for number in range(10):
        assert hear(state, number, mark=2)
    with pytest.raises(Refused):
        hear(state, 1_000_000)
    state.clock_ms += DAY_MS
    assert hear(state, 1_000_000)
    assert len(state.marks) == len(state.heard) == 11
    assert not hear(state, 3, mark=2)


def test_few_sources_are_never_forgotten() -> None:
    state = ShardState(0, clock_ms=DAY_MS)
    for number in range(COUNTED_FROM - 1):
        hear(state, number)
    state.clock_ms = 10_000 * DAY_MS
    assert not hear(state, 0)
    assert state.heard == {}


def hold(subject: int, revision: int, *, held: bool) -> Hold:
    return Hold(f"blueprint:{subject}", revision, held, reason="r" * 5_000)


def test_no_number_of_holds_makes_a_record_that_its_topic_does_not_take() -> None:
    state = ShardState(0, clock_ms=DAY_MS)
    for subject in range(HOLDS_MAX):
        take_hold(state, hold(subject, subject + 1, held=True))
    assert len(encode_shard(state)) < RECORD_BYTES_MAX * 0.6
    with pytest.raises(Refused) as refused:
        take_hold(state, hold(HOLDS_MAX, HOLDS_MAX + 1, held=True))
    assert refused.value.reason == "too-many-holds"
    take_hold(state, hold(5, HOLDS_MAX + 2, held=False))  # flows of this one are yet to be woken
    with pytest.raises(Refused):
        take_hold(state, hold(HOLDS_MAX, HOLDS_MAX + 3, held=True))
    state.waking.clear()
    take_hold(state, hold(HOLDS_MAX, HOLDS_MAX + 4, held=True))
    assert len(state.holds) == HOLDS_MAX
    assert "blueprint:5" not in state.holds


def test_an_older_revision_of_a_hold_says_nothing_new() -> None:
    state = ShardState(0, clock_ms=DAY_MS)
    take_hold(state, hold(1, 3, held=False))
    take_hold(state, hold(1, 2, held=True))
    assert not state.holds["blueprint:1"].held
    assert state.repeated == 1


def test_a_command_of_a_source_too_many_is_a_dead_letter_and_the_shard_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfc.runtime.remembered.SOURCES_BYTES_MAX", 1_000)
    monkeypatch.setattr("sfc.runtime.remembered.COUNTED_FROM", 2)
    lane = bench.lane()
    for n in range(40):
        bench.start(f"twice:{n}", n, f"source/{n}", (1,))
    bench.run([lane], lambda: len(bench.answers) + len(bench.dead_letters()) == 40)
    reasons = [headers.text(record.headers, headers.REASON) for record in bench.dead_letters()]
    assert len(reasons) > 5
    assert set(reasons) == {"too-many-sources"}
    assert not lane.stopped
    lane.close()
