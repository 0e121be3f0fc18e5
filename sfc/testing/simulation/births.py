"""How flows are started: by a record of an input topic, by a control record, or by a start straight on a shard."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from sfc.engine.commands import Command, Origin, ReplyTo, Start
from sfc.ports import Partition
from sfc.testing.simulation.world import NAMES, SHARDS, World
from sfc.wire.commands import encode_command
from sfc.wire.partition import partition_of


def input_of(world: World, chance: random.Random, number: int, name: str = "") -> Any:
    """``name``: of the blueprint, where it is known."""
    if name in world.catalog.inputs:
        return world.catalog.inputs[name]
    return {"id": f"i{number}", "alt": f"j{number}", "n": chance.randint(1, 9), "items": list(range(chance.randint(0, 4)))}


def start_flow(world: World, salt: int, number: int) -> None:
    """``number``: of this birth in the plan; it is in the flow's id."""
    chance = random.Random(salt)
    name = chance.choice(world.catalog.names)
    given = input_of(world, chance, number, name)
    how = chance.random()
    if how < 0.3:
        world.send("orders_in", msgspec.json.encode(given), str(number).encode())
    elif how < 0.45:
        asked = {"command": "start", "blueprint": name, "input": given, **({"id": f"c{number}"} if chance.random() < 0.5 else {})}
        world.send(NAMES.control, msgspec.json.encode(asked), str(number).encode())
    else:
        start(world, name, f"{name}:d{number}", given, keep_id=chance.random() < 0.3)


def burst(world: World, chance: random.Random, count: int) -> None:
    """Records behind each other on one partition of the input topic, which are likely to be carried over together."""
    first = 1_000 + chance.randrange(100_000)
    for n in range(count):
        world.send("orders_in", msgspec.json.encode(input_of(world, chance, first + n)), b"burst")


def start(
    world: World, name: str, flow: str, given: Any, *, keep_id: bool = False, version: int = 1, at: int = -1, shard: int | None = None
) -> None:
    """A start by a caller. ``at``: the offset of sfc.definitions that it names; the end, where it is none. ``shard``: a wrong one."""
    definitions = Partition(NAMES.definitions, 0)
    position = world.log.ends([definitions])[definitions] if at < 0 else at
    wait = ReplyTo(NAMES.replies, "caller", flow)
    command = Start(
        name, version, world.catalog.version(name, version).hash, given, position, Origin("http"), keep_id, wait=wait if keep_id else None
    )
    value, head = encode_command(command)
    key = flow.encode()
    world.send(NAMES.commands, value, key, head, partition_of(key, SHARDS) if shard is None else shard)


def tell(world: World, flow: str, command: Command, shard: int | None = None) -> None:
    """A command of a person or a program. ``shard``: a wrong one."""
    value, head = encode_command(command)
    key = flow.encode()
    world.send(NAMES.commands, value, key, head, partition_of(key, SHARDS) if shard is None else shard)
