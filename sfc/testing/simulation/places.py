"""Clocks that are wrong, topics that go away, ends that are shown late, transactions that tear, workers that misbehave."""

from __future__ import annotations

import random

from sfc.testing.simulation.kinds import Set, trap, up
from sfc.testing.simulation.traps import Trap
from sfc.testing.simulation.world import World

_BACK_MS = 599_000  # append time went back so far when leadership moved


def _jump(world: World, chance: random.Random) -> None:
    world.happened("clock-jump")
    world.clock.jump(chance.choice((1_500, 10_000, 120_000, 4_000_000)))


def _skew(world: World, chance: random.Random) -> None:
    process = up(world, chance.choice(("engine", "engine", "worker")), chance)
    if process is not None:
        world.happened("clock-skew")
        process.clock.skew_ms = chance.choice((-3_000, -400, 20, 700, 4_000))


def _append_time(kind: str, *shifts_ms: int) -> Set:
    def set(world: World, chance: random.Random) -> None:
        world.happened(kind)
        world.shift_append_time(chance.choice(shifts_ms))
        world.later(chance.randint(5, 40), lambda: world.shift_append_time(0))

    return set


def _stable_lags(world: World, chance: random.Random) -> None:
    """An engine dies behind a commit, and whoever restores the shard is shown an older last stable offset for a while."""
    process = chance.choice(world.of("engine"))

    def spring() -> None:
        for other in world.of("engine"):
            other.log.lagging = 6
            other.log.stable.update(process.log.stable)
        process.log.traps.crash()

    trap("last-stable-offset-lags", process, "after", frozenset({"commit"}), chance.randint(0, 2), spring)


def _definitions_lag(world: World, chance: random.Random) -> None:
    process = chance.choice(world.of("engine"))
    world.happened("definitions-lag")
    process.log.definitions_lag = chance.randint(3, 20)


def _job_topic_gone(world: World, chance: random.Random) -> None:
    topic = chance.choice([t for t in world.job_topics if t != "audit"])
    if world.delete(topic):
        world.happened("job-topic-deleted")
        if chance.random() < 0.7:
            world.later(chance.randint(1, 30), lambda: world.make_again(topic))


def _input_topic_anew(world: World, chance: random.Random) -> None:
    """What is in it is carried over first; whoever deletes a topic loses what nobody has read."""
    if world.delete("orders_in"):
        world.happened("input-topic-made-again")
        world.later(chance.choice((0, 0, 3, 20)), lambda: world.make_again("orders_in"))


def _reply_topic_anew(world: World, chance: random.Random) -> None:
    topic = chance.choice(("ship_done", "weigh_done"))
    if world.delete(topic):
        world.happened("reply-topic-made-again")
        world.later(chance.choice((0, 0, 3, 20)), lambda: world.make_again(topic))


def _torn(world: World, chance: random.Random) -> None:
    """Of a transaction only a part becomes visible. Its shard must stand until an operator has mended it."""
    process = chance.choice(world.of("engine"))
    process.log.traps.arm(Trap("torn-transaction", "instead", frozenset({"commit"}), chance.randint(0, 2), world.look, counts=False))


def _trick(kind: str) -> Set:
    """The next job that a worker takes is treated so."""

    def set(world: World, chance: random.Random) -> None:
        world.tricks.append(kind)

    return set


_TRICKS = (
    "worker-is-dead", "worker-is-slow", "answer-is-late", "answer-is-doubled", "answer-on-wrong-partition", "answer-is-no-json",
    "heartbeats", "answer-of-nobody",
)  # fmt: skip

PLACES: dict[str, Set] = {
    "clock-jump": _jump,
    "clock-skew": _skew,
    "append-time-goes-back": _append_time("append-time-goes-back", -_BACK_MS, -30_000, -2_000),
    "append-time-is-ahead": _append_time("append-time-is-ahead", 2_000, 7_000, 20_000),
    "last-stable-offset-lags": _stable_lags,
    "definitions-lag": _definitions_lag,
    "job-topic-deleted": _job_topic_gone,
    "input-topic-made-again": _input_topic_anew,
    "reply-topic-made-again": _reply_topic_anew,
    "torn-transaction": _torn,
    **{kind: _trick(kind) for kind in _TRICKS},
}
