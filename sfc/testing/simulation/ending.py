"""The end of a run: the faults stop, whatever waits for a person gets its answer, and the world goes on until nothing is left to do."""

from __future__ import annotations

import msgspec

from sfc.engine.commands import Resume, Signal
from sfc.engine.rules import RULES
from sfc.ports import Partition
from sfc.testing.simulation.births import tell
from sfc.testing.simulation.blueprints import TOPICS
from sfc.testing.simulation.worker import Worker
from sfc.testing.simulation.world import NAMES, SHARDS, World

ROUNDS_MAX = 1_500
UPGRADES_MAX = 2
UPGRADE_ROUNDS = 80  # longer than an engine waits that was fenced
IDLE_MS = 250  # what a round without work takes
IDLE_ROUNDS = 16  # in a row, at first: members that are gone are put out of their groups by then, roles are made anew
IDLE_ROUNDS_LATER = 3
UNREAD_ROUNDS = 80  # while commands lie there that nobody takes: an engine that was fenced takes its shard again by then


def let_end(world: World) -> None:
    """Breaks ``everything-ends`` when something does not."""
    calm(world)
    _finish_upgrade(world)
    idle, patience = 0, IDLE_ROUNDS
    for _ in range(ROUNDS_MAX):
        done = sum(world.turn(process) for process in list(world.processes) if process.runnable)
        world.steps += len(world.processes)
        if done or _committing(world):
            idle = 0
            world.clock.advance(50)
            continue
        idle += 1
        world.clock.advance(IDLE_MS)
        if idle < patience or not all(p.role is not None for p in world.processes):
            continue
        if idle < UNREAD_ROUNDS and _unread(world):
            continue
        idle, patience = 0, IDLE_ROUNDS_LATER
        if _over(world):
            return
        _answer_signals(world)
        _leap(world)
    _complain(world)


def calm(world: World) -> None:
    """No fault from now on."""
    world.do_what_is_left()
    world.append_clock.shift_ms = 0
    world.tricks.clear()
    for topic in (*world.job_topics, *TOPICS):
        world.make_again(topic)
    for subject, (_, held) in sorted(world.holds.items()):
        if held:
            world.hold(subject, held=False)
    for process in world.processes:
        traps = process.log.traps
        traps.armed.clear()
        process.frozen = False
        process.clock.skew_ms = 0
        process.log.lagging = process.log.definitions_lag = 0
        if isinstance(process.role, Worker):
            process.role.calm = True


def _finish_upgrade(world: World) -> None:
    """Where a newer release has joined: engines of the old one close what is theirs, and leave. A shard that was fenced while it had
    nothing to commit is not known to be lost, so that its owner can't close it: then an engine of the old release comes once more."""
    newer = [p for p in world.of("engine") if p.rules > RULES]
    if not newer and all(state.rules <= RULES for state in world.watcher.shards.values()):
        return
    for _ in range(UPGRADES_MAX):
        if len(newer) == len(world.of("engine")):
            world.add("engine")
        for process in newer:
            world.leave(process)
        for _ in range(UPGRADE_ROUNDS):
            for process in world.processes:
                if process.runnable:
                    world.turn(process)
            world.clock.advance(IDLE_MS)
        older = world.of("engine")
        newer = [world.add("engine") for _ in range(2)]
        for process in newer:
            process.rules = RULES + 1
        for process in older:
            world.leave(process)
        if all(state.closed or state.rules > RULES for state in world.watcher.shards.values()):
            return


def _committing(world: World) -> bool:
    return any(shard.overlay for _, lane in world.lanes() for shard in lane.shards.values())


def _over(world: World) -> bool:
    lives = world.watcher.histories.all.values()
    return all(life.ended for life in lives) and not _unread(world)


def _unread(world: World) -> list[str]:
    """What has come and was not taken."""
    left = []
    for shard, state in _positions(world).items():
        at = Partition(NAMES.commands, shard)
        end = world.log.ends([at])[at]
        if state < end:
            left.append(f"{NAMES.commands}-{shard} was taken up to {state} of {end}")
    left += [f"nothing has come of {source}" for source in world.watcher.sources.missing]
    return left


def _positions(world: World) -> dict[int, int]:
    return {n: state.next_offset if (state := world.watcher.shards.get(n)) else 0 for n in range(SHARDS)}


def _answer_signals(world: World) -> None:
    signals = world.watcher.histories.signals
    for life in list(world.watcher.histories.all.values()):
        flow = life.flow
        if flow is None or life.ended:
            continue
        if flow.paused:
            tell(world, life.id, Resume())
        if any(branch.token in signals for branch in flow.branches.values()):
            tell(world, life.id, Signal("go", {"by": "the end"}))


def _leap(world: World) -> None:
    """To the next moment when something is due."""
    waits = [min(s.next_tick_in_s() for s in lane.shards.values()) for _, lane in world.lanes() if lane.shards]
    for process in world.processes:
        if isinstance(process.role, Worker) and (due_ms := process.role.next_ms()) is not None:
            waits.append((due_ms - process.clock.now_ms()) / 1000)
    next_s = min(waits, default=float("inf"))
    if 0 < next_s < float("inf"):
        world.clock.jump(int(next_s * 1000) + 1)


def _complain(world: World) -> None:
    open_lives = [life for life in world.watcher.histories.all.values() if not life.ended]
    what = "; ".join(_unread(world)) or "nothing is left to be taken"
    told = [f"{life.id} ({life.flow and msgspec.json.encode(life.flow.branches).decode()[:500]})" for life in open_lives[:3]]
    owned = {p.name: sorted(lane.shards) for p, lane in world.lanes()}
    world.fail("everything-ends", f"{len(open_lives)} flows have not ended: {', '.join(told)}; {what}; engines have {owned}")
