"""How many workers a pool has: what the documents ask for, and what an operator wants over that.

A pool is the set of worker replicas of one task (``task:NAME``) or of one specific blueprint (``blueprint:NAME``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sfc.wire.definitions import PoolScale

REPLICAS_MAX = 1_000
LAG_PER_REPLICA = 100


class Scale(NamedTuple):
    """``min`` to ``max`` replicas, one more for each ``lag_per_replica`` jobs that wait. ``module``: the Python module that does them."""

    min: int = 0
    max: int = 1
    lag_per_replica: int = LAG_PER_REPLICA
    module: str = ""


def scale_of(value: Mapping[str, Any]) -> Scale:
    """``Scale`` of a checked document. Without Max it is Min, and one at least."""
    low = value.get("Min", 0)
    return Scale(low, value.get("Max", max(1, low)), value.get("LagPerReplica", LAG_PER_REPLICA), value.get("Module", ""))


def overridden(scale: Scale, override: PoolScale | None) -> Scale:
    """What an operator wants goes before what the document says; where the two cross, Max holds."""
    if override is None:
        return scale
    if override.drained:
        return scale._replace(min=0, max=0)
    high = scale.max if override.max is None else override.max
    low = scale.min if override.min is None else override.min
    return scale._replace(min=min(low, high), max=high)
