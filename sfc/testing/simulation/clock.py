"""Virtual time: nothing of a run waits, and nothing asks the system what time it is."""

from __future__ import annotations

BEGIN_MS = 1_800_000_000_000


class VirtualClock:
    """``sfc.ports.Clock``. ``wall_ms``: what clocks on walls say; ``ran_ms``: what has passed, for deadlines of clients and groups."""

    def __init__(self) -> None:
        self.wall_ms = BEGIN_MS
        self.ran_ms = 0

    def advance(self, ms: int) -> None:
        self.wall_ms += ms
        self.ran_ms += ms

    def jump(self, ms: int) -> None:
        """Time passes in which nobody does anything, as in a world that sleeps: no deadline of a client comes nearer."""
        self.wall_ms += ms

    def now_ms(self) -> int:
        return self.wall_ms

    def monotonic_s(self) -> float:
        return self.ran_ms / 1000


class SkewedClock:
    """The clock of one machine: ``skew_ms`` ahead of the others (behind, where it is negative)."""

    def __init__(self, clock: VirtualClock, skew_ms: int = 0) -> None:
        self._clock = clock
        self.skew_ms = skew_ms

    def now_ms(self) -> int:
        return self._clock.wall_ms + self.skew_ms

    def monotonic_s(self) -> float:
        return self._clock.ran_ms / 1000
