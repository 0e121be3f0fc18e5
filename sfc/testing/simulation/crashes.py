"""Processes that die, clients whose commits and records fail, and processes that stand still while others take over."""

from __future__ import annotations

import random

from sfc.engine.rules import RULES
from sfc.testing.simulation.births import burst
from sfc.testing.simulation.kinds import Set, trap, up
from sfc.testing.simulation.processes import Process
from sfc.testing.simulation.world import MAX_POLL_S, World

_EFFECTS = frozenset({"job", "command", "letter"})
_OTHER_OPS = ("flush", "begin", "write", "commit", "abort", "take", "take-some", "fence", "read", "group-commit", "start")
_ALL_OPS = (*_EFFECTS, *_OTHER_OPS)
_FROZEN_TURNS = (12, 30)


def _crash(kind: str, when: str, *ops: str, role: str = "engine", skip_max: int = 3) -> Set:
    """A process dies before or after an operation."""

    def set(world: World, chance: random.Random) -> None:
        process = chance.choice(world.of(role))
        trap(kind, process, when, frozenset(ops), chance.randint(0, skip_max), process.log.traps.crash)

    return set


def _instead(kind: str, *ops: str, role: str = "engine", skip_max: int = 2) -> Set:
    """Something else happens than was asked."""

    def set(world: World, chance: random.Random) -> None:
        process = chance.choice(world.of(role))
        trap(kind, process, "instead", frozenset(ops), chance.randint(0, skip_max))

    return set


def _lost_of_intake(world: World, chance: random.Random) -> None:
    """One of several starts is lost; those behind it may arrive, where their producer does not see to it."""
    burst(world, chance, 6)
    _instead("lost-record-of-intake", "command", "letter", role="intake")(world, chance)


def _zombie(kind: str, when: str, *ops: str, role: str = "engine") -> Set:
    """A process stands still in the middle of something, long enough to be put out of its groups; then it goes on."""

    def set(world: World, chance: random.Random) -> None:
        process = chance.choice(world.of(role))
        turns = chance.randint(*_FROZEN_TURNS)

        def spring() -> None:
            if len([p for p in world.of(role) if not p.frozen]) < 2:
                world.add(role)
            world.clock.advance(int(MAX_POLL_S * 1000) + 100)
            world.freeze(process, turns)

        trap(kind, process, when, frozenset(ops), chance.randint(0, 2), spring)

    return set


def _frozen(world: World, chance: random.Random) -> None:
    """Between two turns, for a while that may be shorter or longer than the group waits."""
    process = up(world, chance.choice(("engine", "engine", "intake", "worker")), chance)
    if process is not None:
        world.happened("frozen-process")
        world.freeze_until(process, world.steps + chance.randint(5, 40))


def _rebalance_in_mid_batch(world: World, chance: random.Random) -> None:
    process = chance.choice(world.of("engine"))
    joins, comes_back = chance.random() < 0.6, chance.random() < 0.6

    def spring() -> None:
        others = [p for p in world.of("engine") if p is not process and p.role is not None and not p.frozen]
        if not joins and others:
            world.leave(others[0])
            return
        newcomer = world.add("engine")
        world.turn(newcomer)
        if comes_back:  # the newcomer goes at once: what it was to have is given back within the same call
            trap("rebalance-in-mid-batch", process, "instead", frozenset({"take-some"}), 0, lambda: world.leave(newcomer))

    trap("rebalance-in-mid-batch", process, "instead", frozenset({"take-some"}), chance.randint(0, 2), spring)


def _joins(world: World, chance: random.Random) -> None:
    """A process more, while an interval is open."""
    if any(shard.overlay for _, lane in world.lanes() for shard in lane.shards.values()) and len(world.of("engine")) < 4:
        world.happened("join-in-mid-interval")
        world.turn(world.add("engine"))


def _leaves(world: World, chance: random.Random) -> None:
    process = up(world, chance.choice(("engine", "engine", "intake", "worker")), chance)
    if process is not None:
        world.happened("clean-shutdown")
        world.leave(process)


def _upgrade(world: World, chance: random.Random) -> None:
    """An engine of a newer release joins: it may take what was closed, and nothing else."""
    if all(process.rules == RULES for process in world.of("engine")):
        world.happened("newer-release-joins")
        world.add("engine").rules = RULES + 1


def _store(kind: str) -> Set:
    """The machine comes back without its disk, or with what stood on it a while ago."""

    def set(world: World, chance: random.Random) -> None:
        process = up(world, "engine", chance)
        if process is None:
            return
        if kind == "store-lost":
            world.happened(kind)
            process.kill()
            process.new_store()
        else:
            old = process.store_now()

            def spring() -> None:
                process.store = old
                process.log.traps.crash()

            trap(kind, process, "after", frozenset({"commit"}), chance.randint(1, 3), spring)

    return set


def _parent_fails_over(world: World, chance: random.Random) -> None:
    """The engine dies whose flow waits for children."""
    shards = sorted({life.shard for life in world.watcher.histories.lives.values() if life.waits_for_children})
    owners: list[Process] = [owner for shard in shards if (owner := world.owner(shard)) is not None and not owner.frozen]
    if owners:
        world.happened("parent-shard-fails-over")
        chance.choice(owners).kill()


CRASHES: dict[str, Set] = {
    "crash-before-take": _crash("crash-before-take", "before", "take"),
    "crash-after-take": _crash("crash-after-take", "after", "take-some"),
    "crash-before-effect": _crash("crash-before-effect", "before", *_EFFECTS),
    "crash-after-effect": _crash("crash-after-effect", "after", *_EFFECTS),
    "crash-before-flush": _crash("crash-before-flush", "before", "flush"),
    "crash-after-flush": _crash("crash-after-flush", "after", "flush"),
    "crash-before-begin": _crash("crash-before-begin", "before", "begin"),
    "crash-in-transaction": _crash("crash-in-transaction", "after", "write", skip_max=8),
    "crash-before-commit": _crash("crash-before-commit", "before", "commit"),
    "crash-after-commit": _crash("crash-after-commit", "after", "commit"),
    "crash-after-fence": _crash("crash-after-fence", "after", "fence", skip_max=1),
    "crash-in-restore": _crash("crash-in-restore", "after", "read", skip_max=2),
    "crash-of-intake": _crash("crash-of-intake", "after", *_ALL_OPS, role="intake", skip_max=10),
    "crash-of-worker": _crash("crash-of-worker", "after", *_ALL_OPS, role="worker", skip_max=10),
    "unknown-commit-done": _instead("unknown-commit-done", "commit"),
    "unknown-commit-undone": _instead("unknown-commit-undone", "commit"),
    "slow-commit": _instead("slow-commit", "commit"),
    "given-up-job": _instead("given-up-job", "job"),
    "given-up-job-in-log": _instead("given-up-job-in-log", "job"),
    "lost-record": _instead("lost-record", "command", "letter"),
    "lost-record-of-intake": _lost_of_intake,
    "wrong-group-offset": _instead("wrong-group-offset", "group-commit"),
    "zombie-before-flush": _zombie("zombie-before-flush", "before", "flush"),
    "zombie-before-commit": _zombie("zombie-before-commit", "before", "commit"),
    "zombie-before-begin": _zombie("zombie-before-begin", "before", "begin"),
    "zombie-with-a-batch": _zombie("zombie-with-a-batch", "after", "take-some"),
    "zombie-before-effect": _zombie("zombie-before-effect", "before", *_EFFECTS),
    "zombie-after-fence": _zombie("zombie-after-fence", "after", "fence"),
    "zombie-intake": _zombie("zombie-intake", "before", "command", "group-commit", "flush", role="intake"),
    "frozen-process": _frozen,
    "rebalance-in-mid-batch": _rebalance_in_mid_batch,
    "join-in-mid-interval": _joins,
    "clean-shutdown": _leaves,
    "newer-release-joins": _upgrade,
    "store-lost": _store("store-lost"),
    "store-stale": _store("store-stale"),
    "parent-shard-fails-over": _parent_fails_over,
}
