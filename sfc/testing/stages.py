"""One state by itself, stage by stage, as TestState of Step Functions shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from msgspec import UNSET, structs

from sfc.asl import Failure, Machine, MapState, PassState, State
from sfc.asl.checks import did_you_mean
from sfc.engine import events as e
from sfc.engine.commands import Start
from sfc.engine.effects import DispatchJob
from sfc.engine.evolve import evolve
from sfc.engine.flow import Flow, variables_of
from sfc.engine.turn import Turn
from sfc.errors import BadInput
from sfc.testing.definitions import HASH, VERSION, Definition, Loaded, load
from sfc.testing.mocks import Mocks, payload
from sfc.testing.readers import with_readers
from sfc.testing.running import NOW, Endless, carrying, milliseconds
from sfc.testing.world import Life, World
from sfc.wire.ids import flow_id

_WITH_PARAMETERS = ("Task", "Parallel", "Pass")
_WITH_RESULT = (*_WITH_PARAMETERS, "Map")
_WITH_SELECTOR = ("Task", "Parallel", "Map")
_BEGUN = (e.TaskScheduled, e.ParallelStarted, e.MapStarted)
_BEFORE = "(variables)"


@dataclass(slots=True)
class Step:
    """What a state did. ``status``: SUCCEEDED, FAILED, RETRIABLE or CAUGHT_ERROR. ``stages``: what the input became, by the names of
    TestState (input, afterInputPath, afterParameters or afterArguments, result, afterResultSelector, afterResultPath), as far as it came.
    ``retrier`` and ``catcher``: places in Retry and Catch; ``retry_seconds``: the pause before the retry. ``variables``: afterwards."""

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
    variables: dict[str, Any] = field(default_factory=dict)


def step(
    definition: Definition | Loaded,
    state: str,
    input: Any,
    *,
    mocks: Mapping[str, Any] | None = None,
    retries: int = 0,
    variables: Mapping[str, Any] | None = None,
    now: datetime | None = None,
    name: str | None = None,
    tasks: Mapping[str, Mapping[str, Any]] | None = None,
) -> Step:
    """Enters one state of a definition with this raw input and stops when it is left, or about to be tried again.

    ``mocks`` as for ``run``: a Task needs its own, a Parallel those of its branches. ``retries``: how many retries are already used up;
    the mock's answers for the attempts before are given first. ``variables``: what was assigned before.

    Raises as ``run`` does, and BadInput for a state that is not there.
    """
    loaded = definition if isinstance(definition, Loaded) else load(definition, tasks)
    machine = loaded.machine
    if state not in machine.states:
        raise BadInput(f"there is no state {state!r}. {did_you_mean(state, machine.states)}".rstrip())
    mocked = Mocks(mocks, machine)
    program = structs.replace(loaded.program, machine=_starting_at(machine, state, payload(dict(variables or {}), "variables")))
    program = with_readers(program, mocked)
    carried = carrying(mocked)
    dispatch = carried[DispatchJob]

    def dispatch_within(world: World, life: Life, job: DispatchJob) -> None:
        if _decisive(life.events, state, retries) is None:  # what comes after the state is not asked
            dispatch(world, life, job)

    world = World(milliseconds(now or NOW), {**carried, DispatchJob: dispatch_within})
    whole_id = flow_id(program.name, name or "step")
    life = world.start(whole_id, program, Start(program.name, VERSION, HASH, payload(input, "the input")))
    while _decisive(life.events, state, retries) is None and world.step():
        pass
    made = Step(state, machine.states[state].kind)
    at = _decisive(life.events, state, retries)
    if at is None:
        raise Endless(f"the state {state!r} waits for ever: nothing that it waits for comes")
    _conclude(made, life, at, machine.states[state])
    _stages(made, life, at, machine.states[state])
    return made


def _starting_at(machine: Machine, state: str, variables: dict[str, Any]) -> Machine:
    """The machine from one state on; variables are assigned by a Pass state before it."""
    if not variables:
        return replace(machine, start_at=state, timeout_s=None)
    before = PassState(name=_BEFORE, pointer="", next=state, assign=lambda raw, context: variables)
    return replace(machine, start_at=_BEFORE, timeout_s=None, states={**machine.states, _BEFORE: before})


def _decisive(events: list[e.AnyEvent], state: str, retries: int) -> int | None:
    """Place of the event that says what became of the state: its exit, the retry after so many, or the end of the flow."""
    for place, event in enumerate(events):
        match event:
            case e.StateExited(branch=0, state=left) if left == state:
                return place
            case e.ExecutionFailed():
                return place
            case e.RetryScheduled(branch=0):
                if retries == 0:
                    return place
                retries -= 1
    return None


def _conclude(made: Step, life: Life, at: int, state: State) -> None:
    event = life.events[at]
    for earlier in life.events[:at]:
        if isinstance(earlier, e.TaskFailed | e.TaskTimedOut | e.ParallelFailed | e.MapFailed):
            made.error, made.cause = earlier.error, earlier.cause
    match event:
        case e.RetryScheduled():
            made.status, made.retrier = "RETRIABLE", event.retrier
            made.retry_seconds = (event.due_ms - event.at_ms) / 1000
        case e.StateExited():
            flow = _folded(life.events[: at + 1])
            made.output, made.next = flow.branches[0].data, event.next
            last = _folded(life.events[:at])  # what follows its end has no variables any more
            made.variables = {**variables_of(last, last.branches[0]), **({} if event.assigned is UNSET else event.assigned)}
            if event.caught is None:
                made.status, made.error, made.cause = "SUCCEEDED", None, None
            else:
                made.status, made.error = "CAUGHT_ERROR", event.caught or None
                catchers = getattr(state, "catch", ())
                made.catcher = next((n for n, catcher in enumerate(catchers) if catcher.matches(made.error)), None)
        case e.ExecutionFailed():
            made.error, made.cause = event.error, event.cause


def _stages(made: Step, life: Life, at: int, state: State) -> None:
    """What each field of the state made. Fields are evaluated at the places of the history where the engine did it: chance is the same."""
    events = life.events[:at]
    entered = next(n for n, event in enumerate(events) if isinstance(event, e.StateEntered) and event.state == state.name)
    begun = next((n for n in range(at - 1, entered, -1) if isinstance(events[n], _BEGUN) and events[n].branch == 0), None)  # type: ignore[union-attr]
    flow = _folded(events[: entered + 1 if begun is None else begun])
    branch = flow.branches[0]
    turn = Turn(life.program, flow, World(events[entered].at_ms, {}).shard, 0, life.id)
    stages = made.stages
    raw = stages["input"] = branch.data
    if state.kind == "Fail":
        return
    effective = _before(stages, state, raw, turn.context(branch), None if begun is None else events[begun])
    if effective is UNSET or made.status in ("RETRIABLE", "CAUGHT_ERROR"):
        return
    result = _result(state, events, effective)
    if result is UNSET:
        return
    last = _folded(events)
    turn = Turn(life.program, last, World(life.events[at].at_ms, {}).shard, 0, life.id)
    _after(stages, state, raw, result, turn.context_after(state, last.branches[0], result))


def _before(stages: dict[str, Any], state: State, raw: Any, context: Any, begun: Any) -> Any:
    """Up to the effective input; UNSET where a field fails."""
    value = raw
    if not state.jsonata:
        if not _stage(stages, "afterInputPath", state.input_path, raw, context):
            return UNSET
        value = stages["afterInputPath"]
    if isinstance(begun, e.MapStarted) and isinstance(state, MapState):
        name = "afterItemBatcher" if state.batcher is not None else "afterItems" if state.jsonata else "afterItemsPath"
        stages[name] = value if begun.items is UNSET else begun.items
    if state.kind not in _WITH_PARAMETERS:
        return value
    name = "afterArguments" if state.jsonata else "afterParameters"
    if begun is not None:  # as it was told: it may hold the job's token
        stages[name] = value if begun.input is UNSET else begun.input
    elif not _stage(stages, name, state.parameters, value, context):
        return UNSET
    return stages[name]


def _after(stages: dict[str, Any], state: State, raw: Any, result: Any, context: Any) -> None:
    """From the result to what OutputPath is applied to."""
    if state.kind not in _WITH_RESULT:
        return
    value = stages["result"] = result
    if state.jsonata:
        return
    if state.kind in _WITH_SELECTOR:
        if not _stage(stages, "afterResultSelector", state.result_selector, value, context):
            return
        value = stages["afterResultSelector"]
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
    if state.kind not in _WITH_SELECTOR:
        return effective
    if not any(isinstance(event, e.TaskSucceeded | e.ParallelSucceeded | e.MapSucceeded) and event.branch == 0 for event in events):
        return UNSET
    result = _folded(events).branches[0].result
    return effective if result is UNSET else result


def _folded(events: list[e.AnyEvent]) -> Flow:
    flow: Flow | None = None
    for event in events:
        flow = evolve(flow, event)
    assert flow is not None  # the first event is the flow's start
    return flow
