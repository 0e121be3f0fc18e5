"""What people and programs ask for at any moment: pause, resume, stop, redrive, signals, holds; some of it twice, or in the wrong place."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from sfc.engine.commands import Complete, Hold, Pause, Redrive, Resume, Signal, Start, Stop
from sfc.testing.simulation.births import burst, input_of, start, tell
from sfc.testing.simulation.blueprints import TASKS, TRIGGERS
from sfc.testing.simulation.histories import Life
from sfc.testing.simulation.kinds import Set, trap
from sfc.testing.simulation.world import NAMES, SHARDS, World
from sfc.wire.commands import encode_command
from sfc.wire.partition import partition_of


def _some(world: World, chance: random.Random, *, ended: bool = False) -> Life | None:
    found = [life for life in world.watcher.histories.lives.values() if bool(life.ended) == ended and life.flow is not None]
    return chance.choice(found) if found else None


def _ask(world: World, chance: random.Random, flow: str, asked: dict[str, Any], command: Any) -> None:
    """Through the control topic, or straight to the shard."""
    if chance.random() < 0.5:
        world.send(NAMES.control, msgspec.json.encode({**asked, "flow": flow}), flow.encode())
    else:
        tell(world, flow, command)


def _pause(world: World, chance: random.Random) -> None:
    if (life := _some(world, chance)) is not None:
        world.happened("pause")
        _ask(world, chance, life.id, {"command": "pause"}, Pause())
        if chance.random() < 0.6:
            world.later(chance.randint(2, 60), lambda: _ask(world, chance, life.id, {"command": "resume"}, Resume()))


def _resume(world: World, chance: random.Random) -> None:
    if (life := _some(world, chance)) is not None:
        world.happened("resume")
        _ask(world, chance, life.id, {"command": "resume"}, Resume())


def _stop(world: World, chance: random.Random) -> None:
    if (life := _some(world, chance)) is not None:
        world.happened("stop")
        _ask(world, chance, life.id, {"command": "stop", "error": "Asked"}, Stop("Asked"))
        if chance.random() < 0.5:
            world.later(chance.randint(1, 40), lambda: _redrive_it(world, chance, life.id))


def _redrive(world: World, chance: random.Random) -> None:
    if (life := _some(world, chance, ended=True)) is not None:
        world.happened("redrive")
        _redrive_it(world, chance, life.id)


def _redrive_it(world: World, chance: random.Random, flow: str) -> None:
    _ask(world, chance, flow, {"command": "redrive"}, Redrive(f"r{chance.getrandbits(16)}"))


def _signal(world: World, chance: random.Random) -> None:
    if (life := _some(world, chance)) is not None:
        world.happened("signal-early")
        _ask(world, chance, life.id, {"command": "signal", "name": "go", "output": 1}, Signal("go", 1))


def _hold(kind: str) -> Set:
    """Of a blueprint, version, group or task: a definition, and a command to every shard; lifted later."""

    def set(world: World, chance: random.Random) -> None:
        match kind:
            case "hold-blueprint":
                subject = f"blueprint:{chance.choice(world.catalog.names)}"
            case "hold-version":
                subject = f"version:{chance.choice(world.catalog.names)}@1"
            case "hold-task":
                subject = f"task:{chance.choice(list(TASKS))}"
            case _:
                subject = "group:shop"
        world.happened(kind)
        freeze = chance.random() < 0.7
        world.hold(subject, held=True, freeze=freeze)
        if chance.random() < 0.7:
            world.later(chance.randint(3, 80), lambda: world.hold(subject, held=False))

    return set


def _old_hold(world: World, chance: random.Random) -> None:
    """What the registry said before comes once more, by another way."""
    if world.holds:
        subject = chance.choice(sorted(world.holds))
        revision, held = world.holds[subject]
        world.happened("old-hold-again")
        value, head = encode_command(Hold(subject, revision - 1, not held))
        for shard in range(SHARDS):
            world.send(NAMES.commands, value, b"/hold/" + subject.encode(), head, shard)


def _start_twice(world: World, chance: random.Random) -> None:
    starts = [s.flow for seen in world.watcher.commands.starts.values() for s in seen[:1] if s.flow.partition(":")[2][:1] == "d"]
    if starts:
        flow = chance.choice(starts)
        world.happened("start-twice")
        name = flow.partition(":")[0]
        start(world, name, flow, input_of(world, chance, 0, name))


def _wrong_partition(world: World, chance: random.Random) -> None:
    world.happened("command-on-wrong-partition")
    name = chance.choice(world.catalog.names)
    flow = f"{name}:w{chance.getrandbits(20)}"
    home = partition_of(flow.encode(), SHARDS)
    start(world, name, flow, input_of(world, chance, 0, name), shard=(home + 1) % SHARDS)


def _poison(world: World, chance: random.Random) -> None:
    world.happened("poison-record")
    key = chance.choice((b"orders:d0", b"/shard/0", b"", b"\xff\xfe", None))
    value = chance.choice((b"", None, b"{", b'{"command":"start"}', b"\x00" * 40, b'{"command":"complete","token":"a/b"}'))
    head = chance.choice(([], [("sfc-command", b"start")], [("sfc-job", b"x/1/2/3")], [("sfc-job", b"\xff")], [("sfc-command", b"tick")]))
    topic = chance.choice((NAMES.commands, NAMES.commands, NAMES.control, "orders_in", "ship_done"))
    world.send(topic, value, key, head, chance.randrange(world.log.topics().get(topic, 1)) if topic in world.log.topics() else None)


def _sent_again(world: World, chance: random.Random) -> None:
    """A record with source and mark comes once more: whoever appended it did not know that it was there."""
    found = [seen for shard in world.watcher.commands.by_offset for seen in shard if seen.source]
    if found:
        world.happened("repeated-command")
        record = chance.choice(found).record
        world.send(NAMES.commands, record.value, record.key, list(record.headers), record.partition)


def _stale_answer(world: World, chance: random.Random) -> None:
    """An answer to a job that is closed, or to one that is open in another attempt."""
    tokens = list(world.watcher.histories.outcomes)
    if tokens:
        world.happened("answer-to-an-old-job")
        token = chance.choice(tokens)
        tell(world, token.partition("/")[0], Complete(token, {"of": token, "again": True, "n": 1, "items": []}))


def _new_version(world: World, chance: random.Random) -> None:
    """A version is deployed, and at once a flow of it is started: its shard may not have read it."""
    name = chance.choice(world.catalog.names)
    world.happened("start-before-definition-is-read")
    for process in world.of("engine"):
        process.log.definitions_lag = chance.randint(1, 12)
    if name not in world.versions:
        world.versions.add(name)
        world.define(world.catalog.version(name, 2))
    start(world, name, f"{name}:v{chance.getrandbits(20)}", input_of(world, chance, 0, name), version=2)


def _beyond(world: World, chance: random.Random) -> None:
    """A start that names definitions which will never be."""
    world.happened("start-beyond-definitions")
    name = chance.choice(world.catalog.names)
    start(world, name, f"{name}:b{chance.getrandbits(20)}", input_of(world, chance, 0, name), at=1_000_000)


def _unknown(world: World, chance: random.Random) -> None:
    world.happened("start-of-unknown-version")
    name = chance.choice(world.catalog.names)
    flow = f"{name}:u{chance.getrandbits(20)}"
    value, head = encode_command(Start(name, 9, "h-none", {}))
    world.send(NAMES.commands, value, flow.encode(), head, partition_of(flow.encode(), SHARDS))


def _edit(world: World, chance: random.Random) -> None:
    """The id of the flow is found at another place of the record from now on; some records wait while it is edited, others have been
    carried over by one who died before he said so."""
    world.happened("trigger-edited")
    burst(world, chance, chance.randint(1, 4))
    if chance.random() < 0.5:
        for process in world.of("intake"):
            trap("crash-of-intake", process, "before", frozenset({"group-commit"}), 0, process.log.traps.crash)
        world.later(chance.randint(10, 40), lambda: _edited(world))
    else:
        _edited(world)


def _edited(world: World) -> None:
    world.trigger_revision += 1
    path = "$.alt" if world.trigger_revision % 2 else "$.id"
    world.change_head("orders", triggers=[msgspec.structs.replace(TRIGGERS["orders"], flow_id=path, revision=1 + world.trigger_revision)])


PEOPLE: dict[str, Set] = {
    "pause": _pause,
    "resume": _resume,
    "stop": _stop,
    "redrive": _redrive,
    "signal-early": _signal,
    "hold-blueprint": _hold("hold-blueprint"),
    "hold-version": _hold("hold-version"),
    "hold-task": _hold("hold-task"),
    "hold-group": _hold("hold-group"),
    "old-hold-again": _old_hold,
    "start-twice": _start_twice,
    "command-on-wrong-partition": _wrong_partition,
    "poison-record": _poison,
    "repeated-command": _sent_again,
    "answer-to-an-old-job": _stale_answer,
    "start-before-definition-is-read": _new_version,
    "start-beyond-definitions": _beyond,
    "start-of-unknown-version": _unknown,
    "trigger-edited": _edit,
}
