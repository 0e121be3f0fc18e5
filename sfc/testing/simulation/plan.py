"""What is to happen in a run, as explicit lists: so that a run which breaks an invariant can be thinned."""

from __future__ import annotations

import random
from collections.abc import Mapping
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


def plan_of(seed: int, size: Size, kinds: tuple[tuple[str, int], ...], seldom: Mapping[str, float]) -> Plan:
    """``kinds``: of faults, with their weights. ``seldom``: kinds that are planned once more in a part of the runs."""
    chance = random.Random(seed)
    births = sorted(Birth(int(chance.random() * size.steps * 0.6), chance.getrandbits(48)) for _ in range(size.flows))
    names = [name for name, _ in kinds]
    weights = [weight for _, weight in kinds]
    drawn = chance.choices(names, weights, k=size.faults + chance.randint(2, 8))
    deeds = sorted(_deed(chance, size, kind) for kind in drawn)
    again = random.Random(seed ^ 0xE7)
    more = [kind for kind, part in seldom.items() if again.random() < part]
    deeds = sorted([*deeds, *(_deed(again, size, kind) for kind in more)])
    return Plan(seed, size.steps, tuple(births), tuple(deeds))


def _deed(chance: random.Random, size: Size, kind: str) -> Deed:
    return Deed(int(size.steps * (0.05 + 0.9 * chance.random())), kind, chance.getrandbits(48))
