"""The system's clocks."""

from __future__ import annotations

import time


class SystemClock:
    """sfc.ports.Clock on the machine's own."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()
