"""The only place that changes a flow. Folding a flow's events from None gives its state byte for byte.

One function per event type, in one table; those of branches below others stand in sfc.engine.evolve_below. They take
what the event says and what the flow has, never a program: a fold needs none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from sfc.engine import events as e
from sfc.engine.branches import close, drop_below, drop_detached, revive, waited
from sfc.engine.evolve_below import ON_BELOW
from sfc.engine.flow import Branch, Flow, KeptSignal, Status

REQUESTS_KEPT = 20


def evolve(flow: Flow | None, event: e.Event) -> Flow | None:
    """The flow after the event: the flow passed in, changed; a new one for ExecutionStarted; None for ExecutionForgotten."""
    apply = _ON.get(type(event))
    if apply is None:
        if isinstance(event, e.ExecutionStarted):
            return _started(event)
        if isinstance(event, e.ExecutionForgotten):
            return None
        raise TypeError(f"{type(event).__name__} is no event")
    if flow is not None:
        flow.seq = event.seq
        apply(flow, event)
    return flow


def kept(flow: Flow) -> bool:
    """Whether the flow's state is to be written: it runs, or it has ended and stays for a while (a stub, or for a redrive)."""
    return flow.status == "RUNNING" or flow.due_ms > 0


def _started(event: e.ExecutionStarted) -> Flow:
    return Flow(
        id=event.flow,
        run=event.offset,
        blueprint=event.blueprint,
        version=event.version,
        hash=event.hash,
        seq=event.seq,
        input=event.input,
        started_ms=event.at_ms,
        due_ms=event.due_ms,
        branches={0: Branch(0, data=event.input)},
        branches_made=1,
        origin=event.origin,
        keep_id=event.keep_id,
        wait=event.wait,
        traceparent=event.traceparent,
        parent=event.parent,
        entry=event.entry,
    )


def _remember(flow: Flow, request: str) -> None:
    if request:
        flow.requests = [*flow.requests, request][-REQUESTS_KEPT:]


def _end(flow: Flow, event: e.Event, status: Status, keep_until_ms: int) -> None:
    flow.status = status
    flow.ended_ms = event.at_ms
    flow.due_ms = keep_until_ms
    flow.inbox = []
    flow.paused = False
    flow.paused_reason = ""
    flow.held_since_ms = flow.stood_ms = flow.parent_held_ms = flow.yielded_ms = 0
    flow.wait = None


def _end_unfinished(flow: Flow, event: e.ExecutionFailed | e.ExecutionTimedOut | e.ExecutionAborted, status: Status) -> None:
    """As ``_end``; the branches stay for a redrive, without jobs and timers."""
    if event.bare:
        flow.branches = {}
        flow.signals = []
        flow.input = None
    for branch in flow.branches.values():
        if branch.phase not in ("done", "failed", "branches"):
            close(branch, "stopped")
    _end(flow, event, status, event.keep_until_ms)


def _succeeded(flow: Flow, event: e.ExecutionSucceeded) -> None:
    _end(flow, event, "SUCCEEDED", event.keep_until_ms)
    flow.branches = {}
    flow.signals = []
    flow.input = None
    flow.output = event.stub_output


def _failed(flow: Flow, event: e.ExecutionFailed) -> None:
    root = flow.branches[0]
    if root.phase != "branches":
        close(root, "failed")
    flow.error = event.error
    flow.cause = event.cause
    _end_unfinished(flow, event, "FAILED")


def _timed_out(flow: Flow, event: e.ExecutionTimedOut) -> None:
    _end_unfinished(flow, event, "TIMED_OUT")


def _aborted(flow: Flow, event: e.ExecutionAborted) -> None:
    flow.error = event.error
    flow.cause = event.cause
    _end_unfinished(flow, event, "ABORTED")


def _redriven(flow: Flow, event: e.ExecutionRedriven) -> None:
    flow.status = "RUNNING"
    flow.error = flow.cause = None
    flow.ended_ms = 0
    flow.due_ms = event.due_ms
    flow.redrives += 1
    _remember(flow, event.request)
    going = [flow.branches[i] for i in event.branches]
    failed_ones = [b for b in going if b.phase == "failed"] or going
    if event.input is not UNSET:
        for branch in failed_ones:
            branch.data = event.input
    for branch in going:
        revive(flow, branch)
        close(branch, "entered")
        branch.retries = []
    for branch in flow.branches.values():
        branch.steps = 0


def _paused(flow: Flow, event: e.ExecutionPaused) -> None:
    if event.own:
        flow.paused = True
        flow.paused_reason = event.reason
    if event.parent:
        flow.parent_held_ms = event.at_ms
    if event.stood:
        flow.stood_ms = event.at_ms
    if event.since_ms and (not flow.held_since_ms or event.since_ms < flow.held_since_ms):
        flow.held_since_ms = event.since_ms


def _resumed(flow: Flow, event: e.ExecutionResumed) -> None:
    if event.own:
        flow.paused = False
        flow.paused_reason = ""
    if event.parent:
        flow.parent_held_ms = 0
    if not event.free:
        return
    flow.held_since_ms = flow.stood_ms = 0
    shift = event.shift_ms
    if not shift:
        return
    if flow.due_ms:
        flow.due_ms += shift
    for branch in flow.branches.values():
        if branch.due_ms:
            branch.due_ms += shift
        if branch.heartbeat_due_ms:
            branch.heartbeat_due_ms += shift


def _outcome_held(flow: Flow, event: e.OutcomeHeld) -> None:
    flow.inbox.append(event.outcome)


def _outcomes_taken(flow: Flow, event: e.OutcomesTaken) -> None:
    flow.inbox = []


def _entered(flow: Flow, event: e.StateEntered) -> None:
    branch = flow.branches[event.branch]
    branch.state = event.state
    branch.phase = "entered"
    branch.entered_seq = event.seq
    branch.entered_ms = event.at_ms
    branch.steps += 1
    if branch.retries:
        branch.retries = []


def _exited(flow: Flow, event: e.StateExited) -> None:
    branch = flow.branches[event.branch]
    if event.output is not UNSET:
        branch.data = event.output
    elif branch.result is not UNSET:
        branch.data = branch.result
    if branch.phase in ("waiting", "retrying"):
        waited(flow, branch)
    if branch.phase == "branches":  # a catcher of a Parallel or a Map
        drop_below(flow, branch.id)
    branch.map = None
    if event.assigned is not UNSET:
        branch.variables.update(event.assigned)
    branch.phase = "entered"
    if event.next is None:
        branch.phase = "done"
        drop_detached(flow, branch.id)
        branch.variables = {}
    else:
        branch.state = event.next
    branch.token = branch.child = ""
    branch.due_ms = branch.heartbeat_due_ms = 0
    branch.result = UNSET
    if branch.retries:
        branch.retries = []


def _scheduled(flow: Flow, event: e.TaskScheduled) -> None:
    branch = flow.branches[event.branch]
    if branch.phase == "retrying":
        waited(flow, branch)
    branch.phase = "job"
    branch.token = event.token
    branch.child = event.child
    branch.due_ms = event.due_ms
    branch.heartbeat_due_ms = event.heartbeat_due_ms
    if event.input is not UNSET and event.task.startswith("topic:"):
        branch.result = event.input  # what is sent is the result: to make it again might give another time or another draw


def _signal_received(flow: Flow, event: e.SignalReceived) -> None:
    _remember(flow, event.request)
    if event.kept:
        flow.signals.append(KeptSignal(event.name, event.output, event.error, event.cause))


def _signal_taken(flow: Flow, event: e.SignalTaken) -> None:
    index = next(n for n, signal in enumerate(flow.signals) if signal.name == event.name)
    flow.branches[event.branch].result = flow.signals.pop(index).output


def _heartbeat(flow: Flow, event: e.TaskHeartbeat) -> None:
    flow.branches[event.branch].heartbeat_due_ms = event.due_ms


def _task_succeeded(flow: Flow, event: e.TaskSucceeded) -> None:
    branch = flow.branches[event.branch]
    result = branch.result if event.output is UNSET else event.output
    waited(flow, branch)
    close(branch, "entered")
    branch.result = result


def _task_failed(flow: Flow, event: e.TaskFailed | e.TaskTimedOut) -> None:
    branch = flow.branches[event.branch]
    waited(flow, branch)
    close(branch, "failed")


def _retry(flow: Flow, event: e.RetryScheduled) -> None:
    branch = flow.branches[event.branch]
    if branch.phase == "branches":
        drop_below(flow, branch.id)
    close(branch, "retrying")
    branch.due_ms = event.due_ms
    branch.steps = 0
    used = branch.retries
    if len(used) <= event.retrier:
        used.extend([0] * (event.retrier + 1 - len(used)))
    used[event.retrier] += 1


def _wait_started(flow: Flow, event: e.WaitStarted) -> None:
    branch = flow.branches[event.branch]
    branch.phase = "waiting"
    branch.due_ms = event.due_ms


def _yielded(flow: Flow, event: e.ExecutionYielded) -> None:
    flow.yielded_ms = event.due_ms


def _continued(flow: Flow, event: e.ExecutionContinued) -> None:
    flow.yielded_ms = 0


def _nothing(flow: Flow, event: e.Event) -> None:
    """Told by another event already."""


_ON: dict[type[e.Event], Callable[[Flow, Any], None]] = {
    **ON_BELOW,
    e.ExecutionSucceeded: _succeeded,
    e.ExecutionFailed: _failed,
    e.ExecutionTimedOut: _timed_out,
    e.ExecutionAborted: _aborted,
    e.ExecutionRedriven: _redriven,
    e.ExecutionPaused: _paused,
    e.ExecutionResumed: _resumed,
    e.OutcomeHeld: _outcome_held,
    e.OutcomesTaken: _outcomes_taken,
    e.StateEntered: _entered,
    e.StateExited: _exited,
    e.EvaluationFailed: _nothing,
    e.SignalReceived: _signal_received,
    e.SignalTaken: _signal_taken,
    e.TaskScheduled: _scheduled,
    e.TaskHeartbeat: _heartbeat,
    e.TaskSucceeded: _task_succeeded,
    e.TaskFailed: _task_failed,
    e.TaskTimedOut: _task_failed,
    e.RetryScheduled: _retry,
    e.WaitStarted: _wait_started,
    e.BranchSucceeded: _nothing,
    e.MapIterationAborted: _nothing,
    e.ExecutionYielded: _yielded,
    e.ExecutionContinued: _continued,
}
