"""Runs a blueprint in memory: the engine's own decide and evolve, a virtual clock, mocks for the services."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import UNSET, json

from sfc.engine.commands import Complete, Dispatched, DispatchFailed, Fail, Heartbeat, Signal, Start, Stop
from sfc.engine.effects import DispatchJob, RefuseStart, Reply
from sfc.engine.events import TaskScheduled
from sfc.errors import BadInput, MalformedRecord, SfcError
from sfc.testing.definitions import HASH, VERSION, Definition, Loaded, load
from sfc.testing.mocks import Mocks, payload
from sfc.testing.outcome import Outcome, history_of, output_of, path_of, written_of
from sfc.testing.readers import with_readers
from sfc.testing.world import Carry, Life, Pulse, World
from sfc.wire.ids import flow_id

NOW = datetime(2025, 1, 1, tzinfo=UTC)
"""When a run starts whose caller names no time: always the same, so that its outcome is."""
COMMANDS_MAX = 250_000
_EMPTY: dict[str, Any] = {}


class MissingMock(BadInput):
    """A Task state was reached that no mock answers. ``state`` is its name."""

    def __init__(self, state: str, resource: str, value: bytes) -> None:
        self.state = state
        shown = value.decode("utf-8", "replace")
        shown = shown if len(shown) <= 200 else shown[:199] + "…"
        super().__init__(
            f"the Task state {state!r} ({resource}) was reached with the input {shown}, and no mock answers it",
            hint=f'give it one in the mocks: {{"{state}": [{{"return": {{…}}}}]}}',
        )


class Endless(SfcError):
    """A flow that did not end within 250,000 commands (a loop), or that waits for ever."""


def run(
    definition: Definition | Loaded,
    input: Any = _EMPTY,
    *,
    mocks: Mapping[str, Any] | None = None,
    now: datetime | None = None,
    name: str | None = None,
    tasks: Mapping[str, Mapping[str, Any]] | None = None,
    stop_after: float | None = None,
) -> Outcome:
    """Runs a flow to its end and returns how it ended.

    ``definition``: a dict, JSON or YAML text, or the path of a file; plain ASL, or a blueprint with ``Sfc``. ``input``: any JSON value.
    ``mocks``: by the names of Task states, see ``sfc.testing.mocks``. ``now``: when it starts (2025-01-01 in UTC by default; one without a
    time zone is UTC). ``name``: of the flow, as in ``$$.Execution.Name``. ``tasks``: task documents by name, for their defaults.
    ``stop_after``: seconds of virtual time after which it is stopped (ABORTED).

    Raises InvalidBlueprint (``problems`` lists all), MissingMock, Endless, and BadInput for wrong arguments.
    """
    loaded = definition if isinstance(definition, Loaded) else load(definition, tasks)
    try:
        given = payload(input, "the input")
    except MalformedRecord as e:
        raise BadInput(f"the input can't be taken: {e.message}") from e
    mocked = Mocks(mocks, loaded.machine)
    world = World(milliseconds(now or NOW), carrying(mocked))
    program = with_readers(loaded.program, mocked)
    whole_id = flow_id(program.name, name or "run")
    life = world.start(whole_id, program, Start(program.name, VERSION, HASH, given))
    if stop_after is not None:
        _stop_later(world, whole_id, stop_after)
    while world.step():
        if life.flow is not None and not life.flow.running:
            break
        if world.commands >= COMMANDS_MAX:
            raise Endless(f"the flow did not end within {COMMANDS_MAX} commands; it came to {path_of(history_of(life.events))[-1]!r} last")
    outcome = outcome_of(life)
    if outcome.status == "RUNNING":
        raise Endless(
            f"the flow stands at {outcome.path[-1]!r}: nothing that it waits for comes any more", hint="give its wait a TimeoutSeconds"
        )
    return outcome


def outcome_of(life: Life) -> Outcome:
    """What became of a flow of a world."""
    flow = life.flow
    assert flow is not None  # it was started: a start of an id that is new is never refused here
    history = history_of(life.events)
    return Outcome(
        status=flow.status,
        output=output_of(history) if flow.status == "SUCCEEDED" else None,
        error=flow.error,
        cause=flow.cause,
        path=path_of(history),
        history=history,
        id=life.id,
        seconds=(flow.ended_ms - flow.started_ms) / 1000 if flow.ended_ms else 0.0,
        written=written_of(history),
    )


def carrying(mocks: Mocks) -> dict[type[Any], Carry]:
    """What becomes of each kind of effect."""

    def dispatch(world: World, life: Life, job: DispatchJob) -> None:
        is_topic = job.target.kind == "topic"
        if not mocks.has(job.state):
            if not is_topic:
                raise MissingMock(job.state, job.target.resource, job.value)
            world.append(job.flow, Dispatched(job.token))
            return
        answer = mocks.answer(job.state, job.token, json.decode(job.value))
        until_ms = min(world.now_ms + answer.delay_ms, job.deadline_ms) if answer.command is not None else job.deadline_ms
        if answer.heartbeat_ms and world.now_ms + answer.heartbeat_ms < until_ms:
            world.append(job.flow, Heartbeat(job.token), answer.heartbeat_ms, Pulse(answer.heartbeat_ms, until_ms))
        command: Any = answer.command
        if is_topic and command is not None:
            command = _published(job, command)
        if command is not None:
            world.append(job.flow, command, answer.delay_ms)

    def awaited(world: World, life: Life, event: TaskScheduled) -> None:
        """A state that waits for a signal: its mock is what somebody tells the flow."""
        branch = life.flow.branches.get(event.branch) if life.flow is not None else None
        if branch is None or branch.token != event.token or not (signal := life.program.targets[branch.state].signal):
            return
        if not mocks.has(branch.state):
            raise MissingMock(branch.state, event.task, json.encode(branch.data if event.input is UNSET else event.input))
        answer = mocks.answer(branch.state, event.token, branch.data if event.input is UNSET else event.input)
        match answer.command:
            case Complete(output=output):
                world.append(life.id, Signal(signal, output), answer.delay_ms)
            case Fail(error=error, cause=cause):
                world.append(life.id, Signal(signal, error=error or "", cause=cause), answer.delay_ms)

    def reply(world: World, life: Life, effect: Reply) -> None:
        """Nobody waits here: a run looks at its flow."""

    def refused(world: World, life: Life, effect: RefuseStart) -> None:
        raise SfcError(f"the start of {effect.flow} was refused: {effect.detail}")

    carried: dict[type[Any], Carry] = {DispatchJob: dispatch, Reply: reply, RefuseStart: refused, TaskScheduled: awaited}
    return carried


def _published(job: DispatchJob, command: Any) -> DispatchFailed:
    if isinstance(command, Fail):
        return DispatchFailed(job.token, command.cause or "")
    raise BadInput(
        f"state {job.state!r} publishes to {job.target.resource}, and nobody answers that: its result is its own effective input",
        hint='leave its mock out, or let the publishing fail: {"throw": {"cause": "…"}}',
    )


def _stop_later(world: World, flow: str, seconds: float) -> None:
    world.append(flow, Stop(cause=f"stopped after {seconds:g} s", by="run"), round(seconds * 1000))


def milliseconds(now: datetime) -> int:
    """Since 1970; a time without a zone is UTC."""
    return round((now if now.tzinfo else now.replace(tzinfo=UTC)).timestamp() * 1000)
