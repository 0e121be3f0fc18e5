"""How many replicas a pool should have now. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sfc.wire.definitions import PoolScale
from sfc.wire.scale import Scale, overridden


class Sample(NamedTuple):
    """The lag at a time, in seconds of a monotonic clock."""

    at_s: float
    lag: int


def wanted(
    scale: Scale,
    override: PoolScale | None,
    lag: int,
    now_s: float,
    history: Sequence[Sample],
    *,
    partitions: int,
    down_after_s: float,
) -> int:
    """One replica for each ``lag_per_replica`` jobs, within Min and Max, and no more than there are partitions.

    Up at once, down only when the lag has been lower for ``down_after_s``: the highest of that time counts. What somebody has changed
    (document or override) counts at once.
    """
    bounds = overridden(scale, override)
    highest = max(lag, *(s.lag for s in history if now_s - s.at_s < down_after_s), 0)
    needed = -(-highest // bounds.lag_per_replica)
    return min(max(needed, bounds.min), bounds.max, partitions)
