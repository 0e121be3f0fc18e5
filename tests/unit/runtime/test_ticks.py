"""Ticks and clocks (EXACTLY-ONCE 6 and 7)."""

from __future__ import annotations

import pytest

from sfc.adapters.clock import SystemClock
from sfc.adapters.embedded import EmbeddedLog
from sfc.engine.commands import Tick
from sfc.errors import ProducerFailed
from sfc.runtime.ticks import Ticks
from sfc.runtime.timers import Timers
from sfc.wire.commands import encode_command
from sfc.wire.partition import partition_of
from sfc.wire.state import shard_key
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle

HOME = partition_of(b"nap:a", SHARDS)


class Shifted:
    """The system's clock, and so many milliseconds."""

    def __init__(self, ahead_ms: int = 0) -> None:
        self.ahead_ms = ahead_ms

    def now_ms(self) -> int:
        return SystemClock().now_ms() + self.ahead_ms

    def monotonic_s(self) -> float:
        return SystemClock().monotonic_s()


def test_a_tick_of_a_wrong_clock_delays_nothing(bench: Bench) -> None:
    lane = bench.lane()
    settle(bench, [lane], 3)
    value, head = encode_command(Tick(SystemClock().now_ms() + 10_000_000))
    bench.producer.send(NAMES.commands, value, shard_key(HOME), head, HOME)
    bench.producer.flush()
    settle(bench, [lane], 5)
    bench.start("nap:a")
    settle(bench, [lane], 5)
    assert lane.shards[HOME].next_tick_in_s() <= 1
    lane.close()


def test_a_clock_that_was_ahead_and_is_mended_delays_nothing(bench: Bench) -> None:
    lane = bench.lane()
    settle(bench, [lane], 3)
    shard = lane.shards[HOME]
    clock = Shifted(10_000_000)
    shard._ticks._clock = clock
    bench.start("nap:a")
    bench.run([lane], lambda: shard._ticks._skew_ms > 0)
    clock.ahead_ms = 0
    settle(bench, [lane], 3)
    assert shard.next_tick_in_s() <= 1
    lane.close()


@pytest.mark.parametrize("behind_ms", [200, 600_000])
def test_a_log_whose_clock_is_behind_is_not_flooded_with_ticks(behind_ms: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A leader that is behind makes timers late; it must not be asked again and again."""
    bench = Bench(EmbeddedLog.memory(clock=Shifted(-behind_ms)))
    bench.set_up()
    lane = bench.lane()
    bench.start("nap:a")
    if behind_ms < 1_000:
        bench.run([lane], lambda: bool(bench.answers))
    else:
        bench.run([lane], lambda: any(b'"tick"' in (r.value or b"") for r in bench.all(NAMES.commands)))
        settle(bench, [lane], 60)
        assert lane.shards[HOME].next_tick_in_s() > 4
    ticks = [r for r in bench.all(NAMES.commands) if b'"tick"' in (r.value or b"")]
    assert len(ticks) <= 3
    lane.close()
    bench.log.close()


def test_a_tick_that_its_producer_has_lost_is_missed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else is sent, so nobody else would hear that the producer has failed."""
    lane = bench.lane()
    settle(bench, [lane], 3)
    shard = lane.shards[HOME]
    bench.start("nap:a", 1)
    settle(bench, [lane])
    outlets = lane._outlets
    lost: list[Tick] = []

    def lose(partition: int, key: bytes, command: Tick) -> None:
        lost.append(command)

    def flush() -> None:
        if lost:
            raise ProducerFailed("a record was lost")

    monkeypatch.setattr(outlets, "command", lose)
    monkeypatch.setattr(outlets, "flush", flush)
    bench.run([lane], lambda: bool(lost))
    assert 5 < shard.next_tick_in_s() <= 10
    shard._ticks._clock = Shifted(10_000)
    bench.run([lane], lambda: bool(bench.answers))
    assert bench.answers[0].flow == "nap:a"
    assert lane._outlets is not outlets
    assert len(lost) == 1
    lane.close()


def test_a_tick_that_is_only_late_is_waited_for() -> None:
    timers, clock = Timers(), Shifted()
    ticks = Ticks(0, timers, clock)
    timers.set("a", 1)
    assert ticks.due(waking=False) is not None
    assert not ticks.late()
    clock.ahead_ms = 11_000
    assert ticks.late()
    assert not ticks.late()
    assert ticks.due(waking=False) is None
    clock.ahead_ms = 22_000
    assert ticks.late()
