"""Ticks and clocks (EXACTLY-ONCE 6 and 7)."""

from __future__ import annotations

import pytest

from sfc.adapters.clock import SystemClock
from sfc.adapters.embedded import EmbeddedLog
from sfc.engine.commands import Tick
from sfc.errors import ProducerFailed
from sfc.runtime.outlets import Outlets
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


@pytest.mark.parametrize("flow", ["nap:a", "tell:a"], ids=["a tick", "dispatched"])
def test_a_command_of_its_own_that_was_lost_is_missed_on_an_idle_lane(bench: Bench, monkeypatch: pytest.MonkeyPatch, flow: str) -> None:
    """Nothing else is sent, so nobody else would hear that the producer has failed."""
    monkeypatch.setattr("sfc.runtime.outlets.UNHEARD_S", 0.3)
    lane = bench.lane()
    settle(bench, [lane], 3)
    outlets = lane._outlets
    lost: list[bytes | None] = []

    def lose(topic: str, value: bytes | None, *_: object) -> None:
        lost.append(value)

    def flush() -> None:
        if lost:
            raise ProducerFailed("a record was lost")

    monkeypatch.setattr(outlets._gapless, "send", lose)
    monkeypatch.setattr(outlets._gapless, "flush", flush)
    bench.start(flow, 1)
    bench.run([lane], lambda: bool(bench.answers))
    assert bench.answers[0].flow == flow
    assert lane._outlets is not outlets
    assert len(lost) == 1
    lane.close()


def test_what_was_flushed_is_not_flushed_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    outlets = Outlets(bench.log, NAMES, SHARDS)
    flushed: list[bool] = []
    monkeypatch.setattr(outlets._gapless, "flush", lambda: flushed.append(True))
    outlets.poll(1_000.0)
    outlets.command(HOME, shard_key(HOME), Tick(1))
    outlets.poll(1_005.0)
    assert not flushed
    outlets.poll(1_011.0)
    assert flushed
    outlets.poll(1_030.0)
    assert len(flushed) == 1
    outlets.close()
