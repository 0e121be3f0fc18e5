"""How faults are set up."""

from __future__ import annotations

import random
from collections.abc import Callable

from sfc.testing.simulation.processes import Process
from sfc.testing.simulation.traps import Trap
from sfc.testing.simulation.world import World

Set = Callable[[World, random.Random], None]
"""Sets a fault up: it does it at once, or lays a trap; it does nothing where there is nothing for it to do."""


def trap(kind: str, process: Process, when: str, ops: frozenset[str], skip: int, spring: Callable[[], None] | None = None) -> None:
    process.log.traps.arm(Trap(kind, when, ops, skip, spring))


def up(world: World, kind: str, chance: random.Random) -> Process | None:
    """One of the processes of a kind that is at work."""
    found = [p for p in world.of(kind) if p.role is not None and not p.frozen]
    return chance.choice(found) if found else None
