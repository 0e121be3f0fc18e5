"""Says which shards an engine has taken and left: one line for each change, however many shards it is about."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable

from sfc.log import get_logger

GATHER_S = 2.0  # shards are taken one after the other; those of one change come within that, unless restores are long

_log = get_logger()


class ShardsTold:
    """``look`` after each turn of a lane. ``settled``: it has taken all that it was given."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._told: set[int] = set()
        self._tell_at_s = 0.0

    def look(self, held: Collection[int], *, settled: bool) -> None:
        if len(held) == len(self._told) and self._told.issuperset(held):
            self._tell_at_s = 0.0
            return
        have = set(held)
        if left := self._told - have:
            self._told &= have
            _log.info(f"{shards(left)} left", action="shards-left", shards=sorted(left), has=len(have))
        if new := have - self._told:
            self._tell_at_s = self._tell_at_s or self._now_s() + GATHER_S
            if settled or self._now_s() >= self._tell_at_s:
                self._tell_at_s = 0.0
                self._told = have
                _log.info(f"{shards(new)} taken", action="shards-taken", shards=sorted(new), has=len(have))


def shards(numbers: Iterable[int]) -> str:
    """``shard 3``, ``shards 0-3, 6``."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    text = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
    return f"shard{'' if text.isdigit() else 's'} {text}"
