"""What a run of the simulation ends with: a report, or a broken invariant."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple


class Broken(Exception):
    """An invariant does not hold. ``invariant``: a stable short name; ``step``: of the run, when it was seen; ``detail``: what was
    expected and what was found."""

    def __init__(self, seed: int, invariant: str, step: int, detail: str) -> None:
        super().__init__(seed, invariant, step, detail)
        self.seed = seed
        self.invariant = invariant
        self.step = step
        self.detail = detail

    def __str__(self) -> str:
        return f"seed {self.seed}, step {self.step}: {self.invariant}: {self.detail}"


class Report(NamedTuple):
    """A run whose invariants held. ``flows``: lives of flows, children among them; ``steps``: turns of processes; ``ended``: flows by
    status; ``faults``: those that really happened, by kind; ``digest``: of all that the log holds in the end."""

    seed: int
    flows: int
    steps: int
    ended: Counter[str]
    faults: Counter[str]
    digest: str
