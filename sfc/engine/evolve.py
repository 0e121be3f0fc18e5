"""The only place that changes a flow. Folding a flow's events from None gives its state byte for byte.

One function per event type, in one table. They take what the event says and what the flow has, never a program: a fold needs none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import UNSET

from sfc.engine import events as e
from sfc.engine.flow import Branch, Broken, Detached, Flow, Going, KeptSignal, Status, items_of, variables_of

REQUESTS_KEPT = 20


def evolve(flow: Flow | None, event: e.Event) -> Flow | None:
    """The flow after the event: the flow passed in, changed; a new one for ExecutionStarted; None for ExecutionForgotten."""
    kind = type(event)
    if kind is e.ExecutionStarted:
        return _started(event)  # type: ignore[arg-type]
    if flow is None or kind is e.ExecutionForgotten:
        return None
    flow.seq = event.seq
    _ON[kind](flow, event)
    return flow


def kept(flow: Flow) -> bool:
    """Whether the flow's state is to be written: it runs, or it has ended and stays for a while (a stub, or for a redrive)."""
    return flow.status == "RUNNING" or flow.due_ms > 0


def below(flow: Flow, branch_id: int) -> Iterator[Branch]:
    """The branches under one, at any depth, parents before children (a child's id is always higher, and made later)."""
    family = {branch_id}
    for branch in flow.branches.values():
        owner = -1 if branch.detached is None else branch.detached.owner  # what the branch itself has detached is not below it
        if branch.parent in family or (owner in family and owner != branch_id):
            family.add(branch.id)
            yield branch


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


def _close(branch: Branch, phase: Any) -> None:
    """No timer and no open job is left; the raw input stays."""
    branch.phase = phase
    branch.token = branch.child = ""
    branch.due_ms = branch.heartbeat_due_ms = 0
    branch.result = UNSET
    branch.map = None


def _waits(flow: Flow, branch: Branch) -> None:
    """What waits for something starts counting its transitions anew, and so does all around it."""
    while branch.parent >= 0:
        branch.steps = 0
        branch = flow.branches[branch.parent]
    branch.steps = 0


def _drop_below(flow: Flow, branch_id: int) -> None:
    for branch in list(below(flow, branch_id)):
        del flow.branches[branch.id]


def _drop_detached(flow: Flow, owner: int, state: str = "") -> None:
    """Ends what a branch has started beside itself: all, or what one of its states has."""
    for holder in [b for b in flow.branches.values() if b.detached is not None and b.detached.owner == owner]:
        if not state or holder.state == state:
            _drop_below(flow, holder.id)
            del flow.branches[holder.id]


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
            _close(branch, "stopped")
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
        _close(root, "failed")
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
        around = flow.branches.get(branch.parent)
        if around is not None and around.detached is not None:
            around.detached.failed.pop(branch.index, None)
        _close(branch, "entered")
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
    if branch.phase == "branches":  # a catcher of a Parallel or a Map
        _drop_below(flow, branch.id)
        branch.map = None
    if event.assigned is not UNSET:
        branch.variables.update(event.assigned)
    branch.phase = "entered"
    if event.next is None:
        branch.phase = "done"
        _drop_detached(flow, branch.id)
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
    branch.phase = "job"
    branch.token = event.token
    branch.child = event.child
    branch.due_ms = event.due_ms
    branch.heartbeat_due_ms = event.heartbeat_due_ms
    if event.input is not UNSET and event.task.startswith("topic:"):
        branch.result = event.input  # what is sent is the result: to make it again might give another time or another draw
    _waits(flow, branch)


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
    _close(branch, "entered")
    branch.result = result


def _task_failed(flow: Flow, event: e.TaskFailed | e.TaskTimedOut) -> None:
    _close(flow.branches[event.branch], "failed")


def _retry(flow: Flow, event: e.RetryScheduled) -> None:
    branch = flow.branches[event.branch]
    if branch.phase == "branches":
        _drop_below(flow, branch.id)
    _close(branch, "retrying")
    branch.due_ms = event.due_ms
    used = branch.retries
    if len(used) <= event.retrier:
        used.extend([0] * (event.retrier + 1 - len(used)))
    used[event.retrier] += 1
    _waits(flow, branch)


def _wait_started(flow: Flow, event: e.WaitStarted) -> None:
    branch = flow.branches[event.branch]
    branch.phase = "waiting"
    branch.due_ms = event.due_ms
    _waits(flow, branch)


def _parallel_started(flow: Flow, event: e.ParallelStarted) -> None:
    parent = flow.branches[event.branch]
    parent.phase = "branches"
    parent.due_ms = 0
    data = parent.data if event.input is UNSET else event.input
    for index, branch_id in enumerate(event.ids):
        flow.branches[branch_id] = Branch(branch_id, parent.id, index, data=data)
    flow.branches_made += len(event.ids)


def _parallel_succeeded(flow: Flow, event: e.ParallelSucceeded) -> None:
    parent = flow.branches[event.branch]
    results = [b.data for b in flow.branches.values() if b.parent == parent.id]
    _drop_below(flow, parent.id)
    _close(parent, "entered")
    parent.result = results


def _child_failed(flow: Flow, event: e.ParallelFailed | e.MapIterationFailed) -> None:
    for branch in below(flow, event.branch):
        if branch.phase in ("done", "failed", "branches"):
            continue
        _close(branch, "failed" if branch.id == event.child else "stopped")


def _detached_started(flow: Flow, event: e.DetachedStarted) -> None:
    owner = flow.branches[event.branch]
    owner.phase = "entered"  # it may have paused before a retry
    owner.due_ms = 0
    _drop_detached(flow, owner.id, owner.state)
    data = owner.data if event.input is UNSET else event.input
    holder = Branch(event.id, state=owner.state, phase="branches", variables=dict(variables_of(flow, owner)), detached=Detached(owner.id))
    flow.branches[holder.id] = holder
    for index, branch_id in enumerate(event.ids):
        flow.branches[branch_id] = Branch(branch_id, holder.id, index, data=data)
    flow.branches_made += 1 + len(event.ids)


def _detached_failed(flow: Flow, event: e.DetachedFailed) -> None:
    child = flow.branches[event.child]
    _drop_detached(flow, child.id)
    for branch in list(below(flow, child.id)):
        if branch.phase not in ("done", "failed", "branches"):
            _close(branch, "stopped")
    if child.phase != "branches":
        _close(child, "failed")
    holder = flow.branches[event.branch]
    assert holder.detached is not None  # the event is a holder's
    holder.detached.failed[child.index] = Broken(event.error, event.cause)


def _join_started(flow: Flow, event: e.JoinStarted) -> None:
    branch = flow.branches[event.branch]
    branch.phase = "waiting"
    branch.due_ms = event.due_ms
    _waits(flow, branch)


def _join_succeeded(flow: Flow, event: e.JoinSucceeded) -> None:
    branch = flow.branches[event.branch]
    results = [b.data if b.phase == "done" else None for b in flow.branches.values() if b.parent == event.holder]
    _drop_below(flow, event.holder)
    del flow.branches[event.holder]
    _close(branch, "entered")
    branch.result = results


def _join_failed(flow: Flow, event: e.JoinFailed) -> None:
    _close(flow.branches[event.branch], "stopped")


def _map_started(flow: Flow, event: e.MapStarted) -> None:
    if event.refused:
        return
    branch = flow.branches[event.branch]
    branch.phase = "branches"
    branch.due_ms = 0
    branch.map = Going(event.limit, event.items, size=event.size)


def _map_run_started(flow: Flow, event: e.MapRunStarted) -> None:
    branch = flow.branches[event.branch]
    branch.phase = "spread"
    branch.token = event.token
    branch.due_ms = 0
    branch.map = Going(event.limit, event.items, size=event.size)


def _child_started(flow: Flow, event: e.ChildStarted) -> None:
    branch = flow.branches[event.branch]
    going = _going(branch)
    going.results.append(None)
    going.open.append(event.index)
    _waits(flow, branch)


def _child_succeeded(flow: Flow, event: e.ChildSucceeded) -> None:
    going = _going(flow.branches[event.branch])
    going.open.remove(event.index)
    going.results[event.index] = event.output
    going.size += event.size


def _child_flow_failed(flow: Flow, event: e.ChildFailed) -> None:
    going = _going(flow.branches[event.branch])
    going.open.remove(event.index)
    going.failed.append(event.index)


def _iteration_started(flow: Flow, event: e.MapIterationStarted) -> None:
    parent = flow.branches[event.branch]
    going = _going(parent)
    going.results.append(None)
    going.living += 1
    data = items_of(parent)[event.index] if event.input is UNSET else event.input
    flow.branches[event.id] = Branch(event.id, parent.id, event.index, data=data)
    flow.branches_made += 1


def _iteration_succeeded(flow: Flow, event: e.MapIterationSucceeded) -> None:
    going = _going(flow.branches[event.branch])
    going.results[event.index] = flow.branches.pop(event.id).data
    going.living -= 1
    going.size += event.size


def _iteration_failed(flow: Flow, event: e.MapIterationFailed) -> None:
    if not event.tolerated:
        _child_failed(flow, event)
        return
    _drop_detached(flow, event.child)
    _drop_below(flow, event.child)
    del flow.branches[event.child]
    going = _going(flow.branches[event.branch])
    going.living -= 1
    going.failed.append(event.index)


def _map_succeeded(flow: Flow, event: e.MapSucceeded | e.MapRunSucceeded) -> None:
    branch = flow.branches[event.branch]
    going = _going(branch)
    results = going.results
    if going.failed:
        left_out = set(going.failed)
        results = [result for index, result in enumerate(results) if index not in left_out]
    _close(branch, "entered")
    branch.result = results


def _map_failed(flow: Flow, event: e.MapFailed) -> None:
    if event.own:
        _drop_below(flow, event.branch)
        _close(flow.branches[event.branch], "failed")


def _going(branch: Branch) -> Going:
    assert branch.map is not None  # events of iterations are those of a Map at work
    return branch.map


def _yielded(flow: Flow, event: e.ExecutionYielded) -> None:
    flow.yielded_ms = event.due_ms


def _continued(flow: Flow, event: e.ExecutionContinued) -> None:
    flow.yielded_ms = 0


def _nothing(flow: Flow, event: e.Event) -> None:
    """Told by another event already."""


_ON: dict[type[e.Event], Callable[[Flow, Any], None]] = {
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
    e.ParallelStarted: _parallel_started,
    e.ParallelSucceeded: _parallel_succeeded,
    e.ParallelFailed: _child_failed,
    e.BranchSucceeded: _nothing,
    e.DetachedStarted: _detached_started,
    e.DetachedFailed: _detached_failed,
    e.JoinStarted: _join_started,
    e.JoinSucceeded: _join_succeeded,
    e.JoinFailed: _join_failed,
    e.MapStarted: _map_started,
    e.MapRunStarted: _map_run_started,
    e.ChildStarted: _child_started,
    e.ChildSucceeded: _child_succeeded,
    e.ChildFailed: _child_flow_failed,
    e.MapRunSucceeded: _map_succeeded,
    e.MapIterationStarted: _iteration_started,
    e.MapIterationSucceeded: _iteration_succeeded,
    e.MapIterationFailed: _iteration_failed,
    e.MapIterationAborted: _nothing,
    e.MapSucceeded: _map_succeeded,
    e.MapFailed: _map_failed,
    e.ExecutionYielded: _yielded,
    e.ExecutionContinued: _continued,
}
