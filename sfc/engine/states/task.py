"""Task: a job leaves, its answer is the result. A ``topic:`` task is done when its record is committed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from sfc.asl import Failure, TaskState
from sfc.engine import children
from sfc.engine import events as e
from sfc.engine.children import depth_of
from sfc.engine.commands import Complete, Dispatched, DispatchFailed, Fail, Outcome
from sfc.engine.effects import DispatchJob
from sfc.engine.flow import Branch
from sfc.engine.ids import child_id, job_hash, token_stem
from sfc.engine.limits import CAUSE_CHARACTERS_MAX, ERROR_CHARACTERS_MAX, cut, is_too_deep
from sfc.engine.moves import fail, finish
from sfc.engine.program import Target
from sfc.engine.sizes import DATA_LIMIT, as_known, output_too_large, too_deep, too_large
from sfc.engine.turn import PAYLOAD_BYTES_MAX, Turn, encode

TIMEOUT_DEFAULT_S = 7 * 86_400
DISPATCH_FAILED = "SFC.DispatchFailed"

_Ask = Callable[[Any, Any], int | Failure | None]


def enter(turn: Turn, branch: Branch, state: TaskState) -> None:
    """Schedules the job: at entering the state, and again after the pause before a retry."""
    target = turn.program.targets[state.name]
    seq = turn.seq + 1
    stem = token_stem(turn.flow_id, turn.flow.run, seq)
    data = branch.data
    effective = data
    if state.parameters is not None or state.input_path is not None:
        # An input may contain the token, whose hash is made of the input: the hash is then taken with the token's stem in its place.
        effective = state.effective_input(data, turn.context(branch, stem))
        if isinstance(effective, Failure):
            fail(turn, branch, effective)
            return
        effective = as_known(effective, data)
    value = encode(effective)
    token = stem + job_hash(target.resource, state.name, value)
    if effective is not data and stem.encode() in value:
        effective = state.effective_input(data, turn.context(branch, token))
        value = encode(effective)
    if len(value) > PAYLOAD_BYTES_MAX:
        fail(turn, branch, too_large(f"the input of state {state.name!r}", len(value)))
        return
    if effective is not data:
        if is_too_deep(value):  # whoever is to do it could not read it
            fail(turn, branch, too_deep(f"the input of state {state.name!r}"))
            return
        turn.told += len(value)
    timeout_s = _seconds(turn, branch, state.timeout, default_timeout_s(target), state.timeout_s)
    if isinstance(timeout_s, Failure):
        fail(turn, branch, timeout_s)
        return
    heartbeat_s = _seconds(turn, branch, state.heartbeat, target.heartbeat_s, state.heartbeat_s)
    if isinstance(heartbeat_s, Failure):
        fail(turn, branch, heartbeat_s)
        return
    role = "" if state.credentials is None else state.credentials(data, turn.context(branch))
    if isinstance(role, Failure):
        fail(turn, branch, role)
        return
    if target.child and depth_of(turn.flow) >= children.DEPTH_MAX:
        cause = f"child flows can be nested {children.DEPTH_MAX} deep, and this flow is as deep as that"
        fail(turn, branch, Failure(children.TOO_DEEP, cause))
        return
    child = child_id(target.child, turn.flow_id, turn.flow.run, seq) if target.child else ""
    attempt = 1 + sum(branch.retries)
    due_ms = turn.now + timeout_s * 1000 if timeout_s else 0
    heartbeat_ms = heartbeat_s * 1000
    turn.emit(
        e.TaskScheduled,
        branch.id,
        token,
        target.resource,
        UNSET if effective is data else effective,
        attempt,
        due_ms,
        heartbeat_ms,
        turn.now + heartbeat_ms if heartbeat_ms else 0,
        child,
    )
    if target.kind == "signal":
        take_kept(turn, branch, state, target.signal)
        return
    if child:
        children.start_child(turn, child, target, token, effective)
        return
    flow = turn.flow
    turn.effects.append(
        DispatchJob(token, flow.id, flow.blueprint, flow.version, state.name, target, value, attempt, due_ms, flow.traceparent, role)
    )


def default_timeout_s(target: Target) -> int:
    """Where neither state nor task says one: a job ages out of its topic. 0, for ever, for what somebody may do at any time, and for
    child flows, which have timeouts of their own."""
    return target.timeout_s or (0 if target.kind in ("signal", "flow") else TIMEOUT_DEFAULT_S)


def take_kept(turn: Turn, branch: Branch, state: TaskState, name: str) -> None:
    """Ends a wait that has just begun with the oldest signal of its name, when one came before."""
    signal = next((kept for kept in turn.flow.signals if kept.name == name), None)
    if signal is None:
        return
    turn.emit(e.SignalTaken, branch.id, name)
    if signal.error is not None:
        _failed(turn, branch, Failure(signal.error, signal.cause))
        return
    turn.emit(e.TaskSucceeded, branch.id)
    finish(turn, branch, state, branch.result, state.next)


def _seconds(turn: Turn, branch: Branch, given: object, default: int, ask: _Ask) -> int | Failure:
    if given is None:
        return default
    found = ask(branch.data, None if isinstance(given, int) else turn.context(branch))
    return default if found is None else found


def on_outcome(turn: Turn, branch: Branch, state: TaskState, outcome: Outcome) -> bool:
    """Takes the answer to the branch's open job. False when it is none that this job can have: then it is dropped."""
    target = turn.program.targets[state.name]
    match outcome:
        case Complete() if target.kind != "topic":
            turn.emit(e.TaskSucceeded, branch.id, outcome.output)
            finish(turn, branch, state, outcome.output, state.next)
        case Fail() if target.kind != "topic":
            _failed(turn, branch, Failure(outcome.error, outcome.cause))
        case Dispatched() if target.kind == "topic":
            effective = turn.effective(state, branch) if branch.result is UNSET else branch.result
            turn.emit(e.TaskSucceeded, branch.id)
            finish(turn, branch, state, effective, state.next)
        case DispatchFailed():
            _failed(turn, branch, Failure(DISPATCH_FAILED, outcome.cause))
        case _:
            return False
    return True


def _failed(turn: Turn, branch: Branch, failure: Failure) -> None:
    turn.emit(e.TaskFailed, branch.id, failure.error, failure.cause)
    fail(turn, branch, failure)


def on_due(turn: Turn, branch: Branch, state: TaskState) -> None:
    """The job's deadline, or its allowed silence, is over. Both are States.Timeout with an empty cause for who catches it, as Step
    Functions has it; the history, and the error of a flow that ends by it, say what was awaited."""
    target = turn.program.targets[state.name]
    if branch.heartbeat_due_ms and (not branch.due_ms or branch.heartbeat_due_ms < branch.due_ms):
        what, seconds = "heartbeat", _seconds(turn, branch, state.heartbeat, target.heartbeat_s, state.heartbeat_s)
    else:
        what, seconds = "answer", _seconds(turn, branch, state.timeout, default_timeout_s(target), state.timeout_s)
    said = f"no {what} within {seconds} s"
    turn.emit(e.TaskTimedOut, branch.id, cause=said)
    fail(turn, branch, Failure("States.Timeout", "", said=said))


def on_heartbeat(turn: Turn, branch: Branch, state: TaskState) -> None:
    """The allowed silence begins anew; at the moment where the timers stand, when they stand."""
    target: Target = turn.program.targets[state.name]
    heartbeat_s = _seconds(turn, branch, state.heartbeat, target.heartbeat_s, state.heartbeat_s)
    if isinstance(heartbeat_s, Failure) or not heartbeat_s:
        return
    turn.emit(e.TaskHeartbeat, branch.id, (turn.frozen_since_ms() or turn.now) + heartbeat_s * 1000)


def fitted(outcome: Outcome) -> Outcome:
    """The answer as it can be carried: one that is too large is an error of its task, long errors and causes are cut."""
    match outcome:
        case Complete():
            size = len(encode(outcome.output))
            if size > PAYLOAD_BYTES_MAX:
                return Fail(outcome.token, DATA_LIMIT, output_too_large(size).cause)
        case Fail() if len(outcome.error or "") > ERROR_CHARACTERS_MAX or len(outcome.cause or "") > CAUSE_CHARACTERS_MAX:
            return Fail(outcome.token, cut(outcome.error, ERROR_CHARACTERS_MAX), cut(outcome.cause, CAUSE_CHARACTERS_MAX))
        case DispatchFailed() if len(outcome.cause) > CAUSE_CHARACTERS_MAX:
            return DispatchFailed(outcome.token, outcome.cause[:CAUSE_CHARACTERS_MAX])
        case _:
            pass
    return outcome
