"""One state by itself, stage by stage, as TestState of Step Functions shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from msgspec import UNSET, structs

from sfc.asl import Failure, PassState, State
from sfc.asl.checks import did_you_mean
from sfc.engine import events as e
from sfc.engine.commands import Start
from sfc.engine.effects import DispatchJob
from sfc.engine.evolve import evolve
from sfc.engine.flow import Flow
from sfc.engine.turn import Turn
from sfc.errors import BadInput
from sfc.testing.definitions import HASH, VERSION, Definition, Loaded, load
from sfc.testing.mocks import Mocks, payload
from sfc.testing.running import NOW, carrying, milliseconds
from sfc.testing.world import Life, World
from sfc.wire.ids import flow_id

_WITH_PARAMETERS = ("Task", "Parallel", "Map", "Pass")
_WITH_SELECTOR = ("Task", "Parallel", "Map")


@dataclass(slots=True)
class Step:
    """What a state did. ``status``: SUCCEEDED, FAILED, RETRIABLE or CAUGHT_ERROR. ``stages``: what the input became, by the names
    of TestState (input, afterInputPath, afterParameters, result, afterResultSelector, afterResultPath), as far as it came.
    ``retrier`` and ``catcher``: places in Retry and Catch; ``retry_seconds``: the pause before the retry."""

    state: str
    kind: str
    status: str = "FAILED"
    next: str | None = None
    output: Any = None
    error: str | None = None
    cause: str | None = None
    stages: dict[str, Any] = field(default_factory=dict)
    retrier: int | None = None
    retry_seconds: float | None = None
    catcher: int | None = None


def step(
    definition: Definition | Loaded,
    state: str,
    input: Any,
    *,
    mocks: Mapping[str, Any] | None = None,
    retries: int = 0,
    now: datetime | None = None,
    name: str | None = None,
    tasks: Mapping[str, Mapping[str, Any]] | None = None,
) -> Step:
    """Enters one state of a definition with this raw input and stops when it is left, or about to be tried again.

    ``mocks`` as for ``run``: a Task needs its own, a Parallel those of its branches. ``retries``: how many retries are already used up:
    the mock's answers that many attempts before are given first. Raises as ``run`` does, and BadInput for a state that is not there.
    """
    loaded = definition if isinstance(definition, Loaded) else load(definition, tasks)
    machine = loaded.machine
    if state not in machine.states:
        raise BadInput(f"there is no state {state!r}. {did_you_mean(state, machine.states)}".rstrip())
    program = structs.replace(loaded.program, machine=replace(machine, start_at=state, timeout_s=None))
    carried = carrying(Mocks(mocks, machine))
    dispatch = carried[DispatchJob]

    def dispatch_within(world: World, life: Life, job: DispatchJob) -> None:
        if _decisive(life.events, retries) is None:  # what comes after the state is not asked
            dispatch(world, life, job)

    world = World(milliseconds(now or NOW), {**carried, DispatchJob: dispatch_within})
    whole_id = flow_id(program.name, name or "step")
    life = world.start(whole_id, program, Start(program.name, VERSION, HASH, payload(input, "the input")))
    while _decisive(life.events, retries) is None and world.step():
        pass
    made = Step(state, machine.states[state].kind)
    at = _decisive(life.events, retries)
    assert at is not None  # every state is left, retried, or fails the flow: a job without an answer times out
    _conclude(made, life, at, machine.states[state])
    _stages(made, life, at, machine.states[state])
    return made


def _decisive(events: list[e.AnyEvent], retries: int) -> int | None:
    """Place of the event that says what became of the first state: its exit, the retry after so many, or the end of the flow."""
    for place, event in enumerate(events):
        match event:
            case e.StateExited(branch=0) | e.ExecutionFailed() | e.ExecutionAborted():
                return place
            case e.RetryScheduled(branch=0):
                if retries == 0:
                    return place
                retries -= 1
    return None


def _conclude(made: Step, life: Life, at: int, state: State) -> None:
    event = life.events[at]
    for earlier in life.events[:at]:
        if isinstance(earlier, e.TaskFailed | e.TaskTimedOut | e.ParallelFailed):
            made.error, made.cause = earlier.error, earlier.cause
    match event:
        case e.RetryScheduled():
            made.status, made.retrier = "RETRIABLE", event.retrier
            made.retry_seconds = (event.due_ms - event.at_ms) / 1000
        case e.StateExited():
            flow = _folded(life.events[: at + 1])
            made.output, made.next = flow.branches[0].data, event.next
            if event.caught is None:
                made.status, made.error, made.cause = "SUCCEEDED", None, None
            else:
                made.status, made.error = "CAUGHT_ERROR", event.caught or None
                catchers = getattr(state, "catch", ())
                made.catcher = next((n for n, catcher in enumerate(catchers) if catcher.matches(made.error)), None)
        case e.ExecutionFailed():
            made.error, made.cause = event.error, event.cause


def _stages(made: Step, life: Life, at: int, state: State) -> None:
    """What each field of the state made, with the context as it was at the last attempt."""
    before = life.events[:at]
    tried = next((n for n in range(len(before) - 1, -1, -1) if isinstance(before[n], e.TaskScheduled)), None)
    entered = next(n for n, event in enumerate(before) if isinstance(event, e.StateEntered))
    flow = _folded(before[: (entered if tried is None else tried) + 1])
    branch = flow.branches[0]
    turn = Turn(life.program, flow, World(branch.entered_ms, {}).shard, 0, life.id)
    context = turn.context(branch)
    stages = made.stages
    raw = stages["input"] = branch.data
    value = raw
    if state.kind == "Fail":
        return
    if not _stage(stages, "afterInputPath", state.input_path, value, context):
        return
    value = stages["afterInputPath"]
    if state.kind in _WITH_PARAMETERS:
        if not _stage(stages, "afterParameters", state.parameters, value, context):
            return
        value = stages["afterParameters"]
    if made.status in ("RETRIABLE", "CAUGHT_ERROR"):
        return
    found = _result(state, before, value)
    if found is UNSET:
        return
    value = found
    if state.kind in _WITH_PARAMETERS:
        stages["result"] = value
    if state.kind in _WITH_SELECTOR:
        if not _stage(stages, "afterResultSelector", state.result_selector, value, context):
            return
        value = stages["afterResultSelector"]
    if state.kind in _WITH_PARAMETERS:
        merge = state.result_path
        _stage(stages, "afterResultPath", None if merge is None else lambda result, _: merge(raw, result), value, context)


def _stage(stages: dict[str, Any], name: str, apply: Any, value: Any, context: Any) -> bool:
    """Notes what a field makes of a value; False where it fails, and nothing comes after it."""
    made = value if apply is None else apply(value, context)
    if isinstance(made, Failure):
        return False
    stages[name] = made
    return True


def _result(state: State, events: list[e.AnyEvent], effective: Any) -> Any:
    """The state's result; UNSET where it came to none."""
    if isinstance(state, PassState):
        return state.result_of(effective)
    if state.kind in _WITH_SELECTOR:
        for place in range(len(events) - 1, -1, -1):
            event = events[place]
            if isinstance(event, e.TaskSucceeded | e.ParallelSucceeded) and event.branch == 0:
                result = _folded(events[: place + 1]).branches[0].result
                return effective if result is UNSET else result
        return UNSET
    return effective


def _folded(events: list[e.AnyEvent]) -> Flow:
    flow: Flow | None = None
    for event in events:
        flow = evolve(flow, event)
    assert flow is not None  # the first event is the flow's start
    return flow
