"""When a shard's lane appends the next tick (EXACTLY-ONCE 6 and 7). None of it is written: a successor begins anew."""

from __future__ import annotations

from sfc.engine.commands import Tick
from sfc.log import get_logger
from sfc.ports import Clock
from sfc.runtime import metrics
from sfc.runtime.timers import Timers

_log = get_logger()

SKEW_MS_MAX = 5_000  # by which a tick is put off at most
SKEW_SAID_MS = 1_000  # a larger one is worth an alarm,
SKEW_SAID_EACH_MS = 60_000  # each minute


class Ticks:
    """One is in flight at a time. A tick that comes before the log's clock has reached the due time fires nothing, so it waits for that as
    long as the last one would have had to, and no sooner than so long after it; but 5 s at most, for a clock may be mended meanwhile."""

    def __init__(self, shard: int, timers: Timers, clock: Clock) -> None:
        self._shard = shard
        self._timers = timers
        self._clock = clock
        self._in_flight = False
        self._sent_ms = 0  # time of the last one
        self._skew_ms = 0  # how far it was ahead of the log's
        self._said_ms = 0

    def due(self, *, waking: bool) -> Tick | None:
        """The tick to append now. ``waking``: flows are being woken in portions, one a tick."""
        if self._in_flight:
            return None
        now_ms = self._clock.now_ms()
        if now_ms < self._sent_ms:  # the clock went back: what it said of the log's is not true any more
            self._sent_ms = self._skew_ms = 0
        due_ms = self._next_ms()
        if not waking and not (due_ms and now_ms >= due_ms):
            return None
        self._in_flight = True
        self._sent_ms = now_ms
        return Tick(now_ms)

    def next_in_s(self, *, waking: bool) -> float:
        """Seconds until ``due`` would give one; infinite when nothing is due."""
        if self._in_flight:
            return float("inf")
        if waking:
            return 0.0
        due_ms = self._next_ms()
        return max(0, due_ms - self._clock.now_ms()) / 1000 if due_ms else float("inf")

    def _next_ms(self) -> int:
        due_ms = self._timers.next_ms()
        return max(due_ms, self._sent_ms) + self._skew_ms if due_ms else 0

    def came(self, tick: Tick, append_ms: int) -> None:
        """Learns from a tick of our own; others' say nothing about this engine's clock."""
        self._in_flight = False
        if tick.time_ms != self._sent_ms:
            return
        skew_ms = tick.time_ms - append_ms
        self._skew_ms = min(max(0, skew_ms), SKEW_MS_MAX)
        metrics.CLOCK_SKEW.set(skew_ms / 1000)
        if abs(skew_ms) > SKEW_SAID_MS and abs(tick.time_ms - self._said_ms) > SKEW_SAID_EACH_MS:
            self._said_ms = tick.time_ms
            _log.warning(
                "this engine's clock and the append time of its partition differ: timers are late",
                action="clock-skew",
                shard=self._shard,
                ahead_ms=skew_ms,
            )
