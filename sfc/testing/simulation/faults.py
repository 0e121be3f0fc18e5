"""Every kind of fault: how often it is planned, and how it is set up."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from sfc.testing.simulation.processes import Process
from sfc.testing.simulation.traps import Trap
from sfc.testing.simulation.world import World

Set = Callable[[World, random.Random], None]

_EFFECTS = frozenset({"job", "command", "letter"})
_ALL_OPS = frozenset(
    {*_EFFECTS, "flush", "begin", "write", "commit", "abort", "take", "take-some", "fence", "read", "group-commit", "start"}
)


class Kind(NamedTuple):
    weight: int
    set: Set


def trap(kind: str, process: Process, when: str, ops: frozenset[str], skip: int, spring: Callable[[], None] | None = None) -> None:
    process.log.traps.arm(Trap(kind, when, ops, skip, spring))


def crash_at(kind: str, when: str, *ops: str, roles: tuple[str, ...] = ("engine",), skip_max: int = 3) -> Set:
    """A process dies before or after an operation."""

    def set(world: World, chance: random.Random) -> None:
        process = chance.choice(world.of(chance.choice(roles)))
        traps = process.log.traps
        trap(kind, process, when, frozenset(ops), chance.randint(0, skip_max), traps.crash)

    return set


KINDS: dict[str, Kind] = {
    "crash-before-take": Kind(2, crash_at("crash-before-take", "before", "take")),
    "crash-after-take": Kind(2, crash_at("crash-after-take", "after", "take-some")),
    "crash-before-effect": Kind(3, crash_at("crash-before-effect", "before", *_EFFECTS)),
    "crash-after-effect": Kind(3, crash_at("crash-after-effect", "after", *_EFFECTS)),
    "crash-before-flush": Kind(2, crash_at("crash-before-flush", "before", "flush")),
    "crash-after-flush": Kind(2, crash_at("crash-after-flush", "after", "flush")),
    "crash-before-begin": Kind(1, crash_at("crash-before-begin", "before", "begin")),
    "crash-in-transaction": Kind(3, crash_at("crash-in-transaction", "after", "write", skip_max=8)),
    "crash-before-commit": Kind(3, crash_at("crash-before-commit", "before", "commit")),
    "crash-after-commit": Kind(3, crash_at("crash-after-commit", "after", "commit")),
    "crash-after-fence": Kind(2, crash_at("crash-after-fence", "after", "fence", skip_max=1)),
    "crash-in-restore": Kind(2, crash_at("crash-in-restore", "after", "read", skip_max=2)),
    "crash-of-intake": Kind(3, crash_at("crash-of-intake", "after", *_ALL_OPS, roles=("intake",), skip_max=10)),
    "crash-of-worker": Kind(2, crash_at("crash-of-worker", "after", *_ALL_OPS, roles=("worker",), skip_max=10)),
}

FAULTS: tuple[str, ...] = tuple(KINDS)
"""The kinds of faults, by their stable names."""
