"""What is to happen in a run, as explicit lists: so that a run which breaks an invariant can be thinned."""

from __future__ import annotations

import random
from typing import NamedTuple


class Size(NamedTuple):
    """How much happens in a run at least. ``steps``: turns of processes while there are faults."""

    flows: int = 14
    steps: int = 320
    faults: int = 14


class Birth(NamedTuple):
    """A flow is started at a step; which, and how, its own chance says."""

    step: int
    salt: int


class Deed(NamedTuple):
    """A fault is set up at a step; whom it meets, and how, its own chance says."""

    step: int
    kind: str
    salt: int


class Plan(NamedTuple):
    """``births`` and ``deeds`` in order of their steps."""

    seed: int
    steps: int
    births: tuple[Birth, ...]
    deeds: tuple[Deed, ...]


def plan_of(seed: int, size: Size, kinds: tuple[tuple[str, int], ...]) -> Plan:
    """``kinds``: of faults, with their weights."""
    chance = random.Random(seed)
    births = sorted(Birth(int(chance.random() * size.steps * 0.6), chance.getrandbits(48)) for _ in range(size.flows))
    names = [name for name, _ in kinds]
    weights = [weight for _, weight in kinds]
    drawn = chance.choices(names, weights, k=size.faults + chance.randint(2, 8))
    deeds = sorted(Deed(int(size.steps * (0.05 + 0.9 * chance.random())), kind, chance.getrandbits(48)) for kind in drawn)
    return Plan(seed, size.steps, tuple(births), tuple(deeds))
