"""What events of Parallels, detached branches, Joins and Maps do to a flow: a part of ``evolve``, which alone may call it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from sfc.engine import events as e
from sfc.engine.branches import below, close, drop_below, drop_detached, waited
from sfc.engine.flow import Branch, Broken, Detached, Flow, Going, Part, Reads, Writes, items_of, variables_of


def _parallel_started(flow: Flow, event: e.ParallelStarted) -> None:
    parent = flow.branches[event.branch]
    if parent.phase == "retrying":
        waited(flow, parent)
    parent.phase = "branches"
    parent.due_ms = 0
    data = parent.data if event.input is UNSET else event.input
    for index, branch_id in enumerate(event.ids):
        flow.branches[branch_id] = Branch(branch_id, parent.id, index, data=data)
    flow.branches_made += len(event.ids)


def _parallel_succeeded(flow: Flow, event: e.ParallelSucceeded) -> None:
    parent = flow.branches[event.branch]
    results = [b.data for b in flow.branches.values() if b.parent == parent.id]
    drop_below(flow, parent.id)
    close(parent, "entered")
    parent.result = results


def _child_failed(flow: Flow, event: e.ParallelFailed | e.MapIterationFailed) -> None:
    for branch in below(flow, event.branch):
        if branch.phase in ("done", "failed", "branches"):
            continue
        close(branch, "failed" if branch.id == event.child else "stopped")


def _detached_started(flow: Flow, event: e.DetachedStarted) -> None:
    owner = flow.branches[event.branch]
    owner.phase = "entered"  # it may have paused before a retry
    owner.due_ms = 0
    drop_detached(flow, owner.id, owner.state)
    data = owner.data if event.input is UNSET else event.input
    holder = Branch(event.id, state=owner.state, phase="branches", variables=dict(variables_of(flow, owner)), detached=Detached(owner.id))
    flow.branches[holder.id] = holder
    for index, branch_id in enumerate(event.ids):
        flow.branches[branch_id] = Branch(branch_id, holder.id, index, data=data)
    flow.branches_made += 1 + len(event.ids)


def _detached_failed(flow: Flow, event: e.DetachedFailed) -> None:
    child = flow.branches[event.child]
    drop_detached(flow, child.id)
    for branch in list(below(flow, child.id)):
        if branch.phase not in ("done", "failed", "branches"):
            close(branch, "stopped")
    if child.phase != "branches":
        close(child, "failed")
    holder = flow.branches[event.branch]
    assert holder.detached is not None  # the event is a holder's
    holder.detached.failed[child.index] = Broken(event.error, event.cause)


def _join_started(flow: Flow, event: e.JoinStarted) -> None:
    branch = flow.branches[event.branch]
    branch.phase = "waiting"
    branch.due_ms = event.due_ms


def _join_succeeded(flow: Flow, event: e.JoinSucceeded) -> None:
    branch = flow.branches[event.branch]
    results = [b.data if b.phase == "done" else None for b in flow.branches.values() if b.parent == event.holder]
    drop_below(flow, event.holder)
    del flow.branches[event.holder]
    close(branch, "entered")
    branch.result = results


def _join_failed(flow: Flow, event: e.JoinFailed) -> None:
    branch = flow.branches[event.branch]
    if branch.due_ms and event.at_ms >= branch.due_ms:
        waited(flow, branch)
    close(branch, "stopped")


def _map_started(flow: Flow, event: e.MapStarted) -> None:
    if event.refused:
        return
    branch = flow.branches[event.branch]
    if branch.phase == "retrying":
        waited(flow, branch)
    branch.phase = "branches"
    branch.due_ms = 0
    branch.map = Going(event.limit, event.items, size=event.size)


def _reader_scheduled(flow: Flow, event: e.ItemReaderScheduled) -> None:
    branch = flow.branches[event.branch]
    _reads(branch).token = event.token
    branch.due_ms = event.due_ms


def _items_read(flow: Flow, event: e.ItemsRead) -> None:
    branch = flow.branches[event.branch]
    waited(flow, branch)
    branch.due_ms = 0
    going, reads = _going(branch), _reads(branch)
    reads.token = ""
    reads.cursor = event.next
    reads.more = not event.last
    reads.read += event.count
    if event.items:
        reads.ahead = event.items
        reads.ahead_size = event.size
        going.size += event.size
        _turn_page(branch, going)


def _turn_page(branch: Branch, going: Going) -> None:
    """When all items of the page in hand were started, the one behind it takes its place."""
    reads = _reads(branch)
    if going.started - reads.first < len(items_of(branch)):
        return
    reads.first = going.started
    going.size -= reads.size
    going.items = [] if reads.ahead is UNSET else reads.ahead
    reads.size, reads.ahead_size, reads.ahead = reads.ahead_size, 0, UNSET


def _reader_failed(flow: Flow, event: e.ItemReaderFailed | e.ResultWriterFailed) -> None:
    branch = flow.branches[event.branch]
    waited(flow, branch)
    close(branch, "failed")


def _map_run_started(flow: Flow, event: e.MapRunStarted) -> None:
    branch = flow.branches[event.branch]
    if branch.phase == "retrying":
        waited(flow, branch)
    branch.phase = "spread"
    branch.token = event.token
    branch.due_ms = 0
    branch.map = Going(event.limit, event.items, size=event.size)
    if event.reads is not UNSET:
        branch.map.items = []
        branch.map.reads = Reads(event.reads)
    if event.writes is not UNSET:
        branch.map.writes = Writes(event.writes)


def _child_started(flow: Flow, event: e.ChildStarted) -> None:
    branch = flow.branches[event.branch]
    going = _going(branch)
    going.open.append(event.index)
    going.started += 1
    if going.writes is None:
        going.results.append(None)
    if going.reads is not None:
        _turn_page(branch, going)


def _child_succeeded(flow: Flow, event: e.ChildSucceeded) -> None:
    branch = flow.branches[event.branch]
    waited(flow, branch)
    going = _going(branch)
    going.open.remove(event.index)
    going.size += event.size
    if going.writes is None:
        going.results[event.index] = event.output
    else:
        _fill(going.writes, "SUCCEEDED", {"Index": event.index, "Output": event.output}, event.size)


def _child_flow_failed(flow: Flow, event: e.ChildFailed) -> None:
    branch = flow.branches[event.branch]
    waited(flow, branch)
    going = _going(branch)
    going.open.remove(event.index)
    going.broken += 1
    if going.writes is None:
        going.failed.append(event.index)
    elif event.tolerated:
        going.size += event.size
        _fill(going.writes, "FAILED", {"Index": event.index, "Error": event.error, "Cause": event.cause}, event.size)


def _fill(writes: Writes, status: str, result: dict[str, Any], size: int) -> None:
    writes.filling.setdefault(status, []).append(result)
    writes.filled[status] = writes.filled.get(status, 0) + size
    writes.largest = max(writes.largest, size)


def _writer_scheduled(flow: Flow, event: e.ResultWriterScheduled) -> None:
    branch = flow.branches[event.branch]
    writes = _writes(branch)
    filling = writes.filling.get(event.status, [])
    writes.open[event.token] = Part(event.status, event.number, filling[: event.count], event.size)
    if event.count:
        writes.filling[event.status] = filling[event.count :]
        writes.filled[event.status] -= event.size
        writes.sizes.setdefault(event.status, []).append(-1)
    branch.heartbeat_due_ms = event.due_ms


def _results_written(flow: Flow, event: e.ResultsWritten) -> None:
    branch = flow.branches[event.branch]
    waited(flow, branch)
    writes = _writes(branch)
    part = writes.open.pop(event.token)
    _going(branch).size -= part.size
    if part.status == "MANIFEST":
        writes.told = event.told
    else:
        writes.sizes[part.status][part.number] = event.size
    branch.heartbeat_due_ms = event.due_ms


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
    drop_detached(flow, event.child)
    drop_below(flow, event.child)
    del flow.branches[event.child]
    going = _going(flow.branches[event.branch])
    going.living -= 1
    going.failed.append(event.index)


def _map_succeeded(flow: Flow, event: e.MapSucceeded | e.MapRunSucceeded) -> None:
    branch = flow.branches[event.branch]
    going = _going(branch)
    results = going.results
    if event.result is not UNSET:
        results = event.result
    elif going.failed:
        left_out = set(going.failed)
        results = [result for index, result in enumerate(results) if index not in left_out]
    close(branch, "entered")
    branch.result = results


def _map_failed(flow: Flow, event: e.MapFailed) -> None:
    if event.own:
        drop_below(flow, event.branch)
        close(flow.branches[event.branch], "failed")


def _going(branch: Branch) -> Going:
    assert branch.map is not None  # events of iterations are those of a Map at work
    return branch.map


def _reads(branch: Branch) -> Reads:
    reads = _going(branch).reads
    assert reads is not None  # events of pages are those of a Map that reads
    return reads


def _writes(branch: Branch) -> Writes:
    writes = _going(branch).writes
    assert writes is not None  # events of parts are those of a Map that writes
    return writes


ON_BELOW: dict[type[e.Event], Callable[[Flow, Any], None]] = {
    e.ParallelStarted: _parallel_started,
    e.ParallelSucceeded: _parallel_succeeded,
    e.ParallelFailed: _child_failed,
    e.DetachedStarted: _detached_started,
    e.DetachedFailed: _detached_failed,
    e.JoinStarted: _join_started,
    e.JoinSucceeded: _join_succeeded,
    e.JoinFailed: _join_failed,
    e.MapStarted: _map_started,
    e.ItemReaderScheduled: _reader_scheduled,
    e.ItemsRead: _items_read,
    e.ItemReaderFailed: _reader_failed,
    e.MapRunStarted: _map_run_started,
    e.ChildStarted: _child_started,
    e.ChildSucceeded: _child_succeeded,
    e.ChildFailed: _child_flow_failed,
    e.MapRunSucceeded: _map_succeeded,
    e.ResultWriterScheduled: _writer_scheduled,
    e.ResultsWritten: _results_written,
    e.ResultWriterFailed: _reader_failed,
    e.MapIterationStarted: _iteration_started,
    e.MapIterationSucceeded: _iteration_succeeded,
    e.MapIterationFailed: _iteration_failed,
    e.MapSucceeded: _map_succeeded,
    e.MapFailed: _map_failed,
}
