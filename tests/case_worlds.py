"""A case of the table in memory, with all flows that it starts: the programs are linked as an engine links them."""

from __future__ import annotations

from functools import cache
from typing import Any

from msgspec import json

from sfc.engine.commands import Heartbeat, Start
from sfc.engine.effects import DispatchJob, SendCommand
from sfc.engine.events import AnyEvent, TaskScheduled
from sfc.engine.link import link
from sfc.engine.program import Program
from sfc.testing.mocks import Mocks
from sfc.testing.running import carrying
from sfc.testing.world import Carry, Life, World
from sfc.wire.topics import Names
from tests.acceptance.evidence import ENDS
from tests.case_table import TASKS, Case, answer_of, table

T0 = 1_735_689_600_000
COMMANDS_MAX = 10_000
VERSION = 1


@cache
def program_of(name: str) -> Program:
    """The case's only version, as it stands in the registry: Resources are pinned."""
    case, names = table()[name], Names("sfc")
    return link(
        name,
        VERSION,
        f"hash-of-{name}",
        case.machine,
        pinned(case.document),
        {f"{task}@{VERSION}": document for task, document in TASKS.items()},
        task_topic=names.task,
        jobs_topic=names.jobs,
        specific_topic=names.specific_jobs,
        blueprints={f"{other}@{VERSION}": f"hash-of-{other}" for other in table()},
    )


def pinned(document: dict[str, Any]) -> dict[str, Any]:
    """Its Resources lead to first versions."""
    resources = {}
    for resource in _resources(document):
        target = (document["Sfc"].get("Resources") or {}).get(resource, resource)
        if target.startswith(("task:", "blueprint:")) and "@" not in target:
            resources[resource] = f"{target}@{VERSION}"
        elif target != resource:
            resources[resource] = target
    return {**document, "Sfc": {**document["Sfc"], "Resources": resources}}


def _resources(value: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(value, dict):
        if value.get("Type") == "Task":
            found.add(value["Resource"])
        for inner in value.values():
            found |= _resources(inner)
    elif isinstance(value, list):
        for inner in value:
            found |= _resources(inner)
    return found


def lives_of(case: Case) -> dict[str, list[AnyEvent]]:
    """All events by flow, of all flows that the case starts."""
    return {life.id: life.events for life in world_of(case).lives.values()}


def world_of(case: Case) -> World:
    """The flow ``<case>:run`` and all that it starts, when nothing more comes."""

    @cache
    def mocked(name: str) -> dict[type[Any], Carry]:
        return carrying(Mocks(table()[name].mocks, table()[name].machine))

    def dispatch(world: World, life: Life, job: DispatchJob) -> None:
        if job.target.kind == "topic":
            mocked(life.program.name)[DispatchJob](world, life, job)
            return
        answer = answer_of(table()[life.program.name], job.state, job.attempt, job.token, json.decode(job.value))
        if answer.heartbeat_ms:
            world.append(life.id, Heartbeat(job.token), answer.heartbeat_ms)
        if answer.command is not None:
            world.append(life.id, answer.command, answer.delay_ms)

    def awaited(world: World, life: Life, event: TaskScheduled) -> None:
        mocked(life.program.name)[TaskScheduled](world, life, event)

    def sent(world: World, life: Life, effect: SendCommand) -> None:
        if isinstance(effect.command, Start):
            world.start(effect.flow, program_of(effect.command.blueprint), effect.command)
        else:
            world.append(effect.flow, effect.command)

    carry: dict[type[Any], Carry] = {**mocked(case.name), DispatchJob: dispatch, TaskScheduled: awaited, SendCommand: sent}
    world = World(T0, carry)
    program = program_of(case.name)
    top = world.start(f"{case.name}:run", program, Start(case.name, VERSION, program.hash, case.input))
    while world.step():
        assert world.commands < COMMANDS_MAX, f"{case.name} does not end"
    assert isinstance(top.events[-1], ENDS), f"{case.name} stands"
    return world
