"""One run: the plan is carried out, then the faults stop, and everything that was begun must end."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from sfc.runtime import interval
from sfc.testing.simulation.births import start_flow
from sfc.testing.simulation.broken import Report
from sfc.testing.simulation.ending import let_end
from sfc.testing.simulation.faults import KINDS, WEIGHED
from sfc.testing.simulation.plan import Plan, Size, plan_of
from sfc.testing.simulation.redecide import check_redecided
from sfc.testing.simulation.weights import SELDOM
from sfc.testing.simulation.world import NAMES, SHARDS, World, ids, quiet

SIZE = Size()
SPLIT_BYTES = 1_500


def simulate(seed: int, *, size: Size = SIZE) -> Report:
    """One run of this seed. Raises Broken at the first invariant that does not hold."""
    return carry_out(planned(seed, size=size))


def planned(seed: int, *, size: Size = SIZE) -> Plan:
    """What is to happen in the run of this seed."""
    return plan_of(seed, size, WEIGHED, SELDOM)


def carry_out(plan: Plan) -> Report:
    """Raises Broken."""
    with _silence(), _limits(plan.seed):
        world = World(plan)
        try:
            _with_faults(world)
            let_end(world)
            world.watcher.check_starts()
            check_redecided(world.log, NAMES, SHARDS, world.watcher, ids(), world.fail)
            histories = world.watcher.histories
            return Report(plan.seed, len(histories.all), world.steps, histories.ended(), world.faults, world.digest())
        finally:
            world.close()


def _with_faults(world: World) -> None:
    births, deeds = list(enumerate(world.plan.births)), list(world.plan.deeds)
    while world.steps < world.plan.steps:
        while births and births[0][1].step <= world.steps:
            number, birth = births.pop(0)
            start_flow(world, birth.salt, number)
        while deeds and deeds[0].step <= world.steps:
            deed = deeds.pop(0)
            KINDS[deed.kind](world, random.Random(deed.salt))
        world.step()


@contextmanager
def _limits(seed: int) -> Iterator[None]:
    """In one of four runs records of history are split where they are small, so that it happens."""
    before = interval.HISTORY_BYTES_MAX
    if seed % 4 == 0:
        interval.HISTORY_BYTES_MAX = SPLIT_BYTES
    try:
        yield
    finally:
        interval.HISTORY_BYTES_MAX = before


@contextmanager
def _silence() -> Iterator[None]:
    """What roles say of faults is no news here, and costs time."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=quiet, cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)
