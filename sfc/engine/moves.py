"""The moves that states share: leaving a state, failing in it (retry, catch, up to the Parallel or Map around it), and a flow's ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from msgspec import UNSET

from sfc.asl import Catcher, Failure, JoinState, MapState, ParallelState, State, TaskState
from sfc.engine import detached, iterations
from sfc.engine import events as e
from sfc.engine.children import report
from sfc.engine.effects import Reply
from sfc.engine.flow import Branch
from sfc.engine.ids import draw
from sfc.engine.limits import CAUSE_CHARACTERS_MAX, ERROR_CHARACTERS_MAX, cut
from sfc.engine.program import DAY_MS
from sfc.engine.sizes import DATA_LIMIT, as_known, size_over, weigh
from sfc.engine.turn import FLOW_BYTES_MAX, Turn, encode

RUNTIME = "States.Runtime"
FAILED_KEPT_DEFAULT_MS = 14 * DAY_MS  # where the program is not known
STUB_OUTPUT_BYTES_MAX = 4096


def fitted(failure: Failure) -> Failure:
    """A failure as long as it can be carried; a path may name a text of any length."""
    error, cause = cut(failure.error, ERROR_CHARACTERS_MAX), cut(failure.cause, CAUSE_CHARACTERS_MAX)
    return failure if error is failure.error and cause is failure.cause else replace(failure, error=error, cause=cause)


def finish(turn: Turn, branch: Branch, state: State, result: Any, following: str | None) -> None:
    """Leaves the state with its result. The last state of a branch may end the enclosing Parallel or Map, and so on to the flow's end."""
    while True:
        output = turn.output(state, branch, result)
        if isinstance(output, Failure):
            fail(turn, branch, output)
            return
        base = branch.data if branch.result is UNSET else branch.result
        output = as_known(output, base)
        if output is not base or state.kind in ("Parallel", "Map", "Join"):  # else it was measured when it came
            unfit = weigh(turn, f"the output of state {state.name!r}", output)
            if unfit is not None:
                fail(turn, branch, unfit)
                return
        told = UNSET if output is base else output
        if state.assign is None:
            turn.emit(e.StateExited, branch.id, state.name, state.kind, following, told)
        else:
            assigned = state.assigned(branch.data, result, turn.context_after(state, branch, result))
            unfit = assigned if isinstance(assigned, Failure) else weigh(turn, f"what state {state.name!r} assigns", assigned)
            if unfit is not None:
                fail(turn, branch, unfit)
                return
            turn.emit(e.StateExited, branch.id, state.name, state.kind, following, told, assigned=assigned)
        if following is not None:
            turn.work.append((branch.id, following))
            return
        if branch.parent < 0:
            succeed(turn, branch.data)
            return
        parent = turn.flow.branches[branch.parent]
        if parent.detached is not None:
            turn.emit(e.BranchSucceeded, branch.id)
            over = detached.joined(turn, parent)
            if over is None:
                return
            branch, state, failure = over
            if failure is not None:
                fail(turn, branch, failure)
                return
            result, following = branch.result, state.next
            continue
        state = turn.state_of(parent)
        if isinstance(state, MapState):
            joined = iterations.succeeded(turn, parent, state, branch)
            if isinstance(joined, Failure):
                fail(turn, parent, joined)
                return
            if not joined:
                return
        else:
            turn.emit(e.BranchSucceeded, branch.id)
            if any(b.phase != "done" for b in turn.flow.branches.values() if b.parent == parent.id):
                return
            turn.emit(e.ParallelSucceeded, parent.id)
        branch, result, following = parent, parent.result, state.next


def fail(turn: Turn, branch: Branch, failure: Failure) -> None:
    """The state failed: its own retriers and catchers are asked, then those of the Parallels and Maps around it; then the flow
    fails."""
    own = True
    while True:
        failure = _told(turn, branch, failure)
        state = turn.state_of(branch)
        if isinstance(state, TaskState | ParallelState | MapState | JoinState):
            if _retried(turn, branch, state, failure):
                return
            if isinstance(state, MapState) and not (own and failure.error == RUNTIME and branch.phase != "branches"):
                turn.emit(e.MapFailed, branch.id, failure.error, failure.said or failure.cause, own)
            caught = _caught(turn, branch, state, failure)
            if caught is True:
                return
            failure = caught or failure
        if branch.parent < 0:
            fail_flow(turn, failure.error, failure.said or failure.cause)
            return
        parent = turn.flow.branches[branch.parent]
        if parent.detached is not None:
            turn.emit(e.DetachedFailed, parent.id, branch.id, failure.error, failure.said or failure.cause)
            over = detached.joined(turn, parent)
            if over is None:
                return
            branch, waiting, broken = over
            if broken is None:
                finish(turn, branch, waiting, branch.result, waiting.next)
                return
            failure, own = broken, True
            continue
        around = turn.state_of(parent)
        if isinstance(around, MapState):
            joined = iterations.failed(turn, parent, around, branch, failure)
            if joined is False:
                return
            if joined is True:
                finish(turn, parent, around, parent.result, around.next)
                return
            failure = joined
        else:
            turn.emit(e.ParallelFailed, parent.id, branch.id, failure.error, failure.said or failure.cause)
        branch, own = parent, False


def _told(turn: Turn, branch: Branch, failure: Failure) -> Failure:
    """The failure with its place, as long as it can be carried. One of evaluating JSONata is an event of its own."""
    placed = fitted(failure.placed(branch.state, branch.entered_seq))
    if placed.location:
        turn.emit(e.EvaluationFailed, branch.id, branch.state, placed.location, placed.error, placed.cause)
        return replace(placed, location="")
    return placed


def _retried(turn: Turn, branch: Branch, state: TaskState | ParallelState | MapState | JoinState, failure: Failure) -> bool:
    retriers = state.retry
    if not retriers and isinstance(state, TaskState):
        retriers = turn.program.targets[state.name].retry
    for index, retrier in enumerate(retriers):
        if not retrier.matches(failure.error):
            continue
        used = branch.retries[index] if index < len(branch.retries) else 0
        if used >= retrier.max_attempts:
            return False
        drawn = draw(turn.flow_id, turn.flow.run, turn.seq + 1) if retrier.jitter else 1.0
        turn.emit(e.RetryScheduled, branch.id, index, turn.now + retrier.delay_ms(used, drawn))
        return True
    return False


def _caught(turn: Turn, branch: Branch, state: TaskState | ParallelState | MapState | JoinState, failure: Failure) -> bool | Failure:
    """True when a catcher took the failure; a Failure when the catcher itself could not put it into the state's input."""
    catcher: Catcher
    for catcher in state.catch:
        if not catcher.matches(failure.error):
            continue
        error_output = {"Error": failure.error, "Cause": failure.cause}
        context = turn.context(branch)
        if catcher.jsonata:
            context = context.having(errorOutput=error_output)
        output = catcher.output(branch.data, error_output, context)
        if isinstance(output, Failure):
            return _told(turn, branch, output)
        unfit = weigh(turn, f"the catcher's output in state {state.name!r}", output)
        if unfit is not None:
            return unfit
        caught = failure.error if failure.error is not None else ""
        if catcher.assign is None:
            turn.emit(e.StateExited, branch.id, state.name, state.kind, catcher.next, output, caught)
        else:
            assigned = catcher.assigned(branch.data, error_output, context)
            if isinstance(assigned, Failure):
                return _told(turn, branch, assigned)
            unfit = weigh(turn, f"what the catcher in state {state.name!r} assigns", assigned)
            if unfit is not None:
                return unfit
            turn.emit(e.StateExited, branch.id, state.name, state.kind, catcher.next, output, caught, assigned)
        turn.work.append((branch.id, catcher.next))
        return True
    return False


def succeed(turn: Turn, output: Any) -> None:
    """The flow's end. A stub stays where somebody chose its id, or the blueprint asks for it."""
    flow, program = turn.flow, turn.program
    wait = flow.wait
    keep_until_ms, stub_output = 0, None
    if flow.keep_id or (program.keep_ids and flow.parent is None):
        keep_until_ms = turn.now + program.ids_kept_ms
        stub_output = output if len(encode(output)) <= STUB_OUTPUT_BYTES_MAX else None
    turn.emit(e.ExecutionSucceeded, keep_until_ms, stub_output)
    if wait is not None:
        turn.effects.append(Reply(wait, turn.flow_id, "SUCCEEDED", output))
    report(turn, turn.flow.parent, "SUCCEEDED", output)


def fail_flow(turn: Turn, error: str | None, cause: str | None, *, bare: bool = False) -> None:
    """The flow fails; it is kept for a redrive, or ``bare``, without its payloads."""
    wait = turn.flow.wait
    turn.emit(e.ExecutionFailed, error, cause, _kept_until(turn), bare or size_over(turn.flow) > 0)
    if wait is not None:
        turn.effects.append(Reply(wait, turn.flow_id, "FAILED", None, error, cause))
    report(turn, turn.flow.parent, "FAILED", None, error, cause)


def time_out_flow(turn: Turn) -> None:
    """The machine's own TimeoutSeconds is over: no error, no cause (as Step Functions has it)."""
    wait = turn.flow.wait
    turn.emit(e.ExecutionTimedOut, _kept_until(turn), size_over(turn.flow) > 0)
    if wait is not None:
        turn.effects.append(Reply(wait, turn.flow_id, "TIMED_OUT"))
    report(turn, turn.flow.parent, "TIMED_OUT")


def abort_flow(turn: Turn, error: str | None, cause: str | None, by: str) -> None:
    wait = turn.flow.wait
    error, cause = cut(error, ERROR_CHARACTERS_MAX), cut(cause, CAUSE_CHARACTERS_MAX)
    turn.emit(e.ExecutionAborted, error, cause, by, _kept_until(turn), size_over(turn.flow) > 0)
    if wait is not None:
        turn.effects.append(Reply(wait, turn.flow_id, "ABORTED", None, error, cause))
    report(turn, turn.flow.parent, "ABORTED", None, error, cause)


def _kept_until(turn: Turn) -> int:
    program = turn.known_program
    return turn.now + (program.failed_kept_ms if program is not None else FAILED_KEPT_DEFAULT_MS)


def check_size(turn: Turn) -> None:
    """Fails a flow whose state is over 4 MiB, before anything is produced (EXACTLY-ONCE 27). One that ends so is kept bare: its state
    could not be written either."""
    flow = turn.known
    if flow is None or flow.status != "RUNNING" or not turn.events:
        return
    size = size_over(flow)
    if size:
        turn.work.clear()
        turn.effects = [effect for effect in turn.effects if isinstance(effect, Reply)]
        fail_flow(turn, DATA_LIMIT, f"the state of the flow has {size} bytes of JSON: at most {FLOW_BYTES_MAX} can be kept")
