"""Makes a broken run smaller: leaves out faults and flows as long as the same invariant breaks.

A run's plan is an explicit list, and what a fault does its own chance says, so that those which stay do the same as before as far as they
can. What is left is often a handful of lines that tell the story.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from sfc.testing.simulation.broken import Broken
from sfc.testing.simulation.plan import Plan
from sfc.testing.simulation.run import carry_out

T = TypeVar("T")
RUNS_MAX = 400


class Shrunk(NamedTuple):
    """The smallest plan that was found, what it breaks, and how many runs that took."""

    plan: Plan
    broken: Broken
    runs: int


def shrink(plan: Plan, runs_max: int = RUNS_MAX) -> Shrunk | None:
    """None where the plan breaks nothing."""
    first = _broken_by(plan)
    if first is None:
        return None
    found = Shrunk(plan, first, 1)

    def breaks(candidate: Plan) -> bool:
        nonlocal found
        if found.runs >= runs_max:
            return False
        broken = _broken_by(candidate)
        same = broken is not None and broken.invariant == first.invariant
        found = Shrunk(candidate, broken, found.runs + 1) if same and broken is not None else found._replace(runs=found.runs + 1)
        return same

    deeds = _thinned(plan.deeds, lambda kept: breaks(plan._replace(deeds=tuple(kept))))
    thin = plan._replace(deeds=tuple(deeds))
    _thinned(plan.births, lambda kept: breaks(thin._replace(births=tuple(kept))))
    return found


def _broken_by(plan: Plan) -> Broken | None:
    try:
        carry_out(plan)
    except Broken as broken:
        return broken
    return None


def _thinned(items: Sequence[T], holds: Callable[[list[T]], bool]) -> list[T]:
    """Leaves out portions, each half as large as the last, as long as what is left still ``holds``."""
    kept = list(items)
    portion = max(1, len(kept) // 2)
    while True:
        at, left_out = 0, False
        while at < len(kept):
            candidate = kept[:at] + kept[at + portion :]
            if holds(candidate):
                kept, left_out = candidate, True
            else:
                at += portion
        if portion > 1:
            portion = max(1, portion // 2)
        elif not left_out:
            return kept
