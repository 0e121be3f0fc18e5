"""From history to what the index shows. Pure: the same records give the same documents and counts on every adapter."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field

from sfc.engine import events as e
from sfc.ports import FlowDocument
from sfc.wire.history import HistoryRecord


class OpenStates(Struct, omit_defaults=True):
    """States that a run has entered and not left yet. Kept beside its document, so that records can be taken one by one."""

    entered: dict[int, tuple[str, int]] = field(default_factory=dict)  # branch: state, since when (ms)
    below: dict[int, list[int]] = field(default_factory=dict)  # branch inside a Parallel: the branches that it started
    failing: int = -1  # the branch whose state was the last to fail or to be entered; -1: none


class Counts(Struct):
    """What has happened in one state. ``durations_ms`` are those of the completed visits whose beginning is known."""

    entered: int = 0
    completed: int = 0
    failed: int = 0
    retries: int = 0
    durations_ms: list[int] = field(default_factory=list)


class Projection(NamedTuple):
    """A record's document, what is open after it, and what it adds to each state's counts."""

    document: FlowDocument
    open: OpenStates
    counts: dict[str, Counts]


def project(record: HistoryRecord, open_: OpenStates | None = None) -> Projection:
    """``open_``: what was open after the record before, of the same run; None at its start. It is changed and handed back."""
    states = open_ or OpenStates()
    counts: dict[str, Counts] = {}
    for event in record.events:
        _count(event, states, counts)
    summary = record.summary
    document = FlowDocument(
        flow=record.flow,
        run=record.run,
        blueprint=summary.blueprint,
        version=summary.version,
        status=summary.status,
        seq=summary.seq,
        started_ms=summary.started_ms,
        updated_ms=summary.updated_ms,
        ended_ms=summary.ended_ms,
        states=summary.states,
        paused_by=summary.paused_by,
        error=summary.error,
        cause=summary.cause,
        redrives=summary.redrives,
        origin=summary.origin,
    )
    return Projection(document, states, counts)


def _count(event: e.Event, open_: OpenStates, counts: dict[str, Counts]) -> None:
    match event:
        case e.StateEntered():
            open_.entered[event.branch] = (event.state, event.at_ms)
            open_.failing = event.branch
            _of(counts, event.state).entered += 1
        case e.StateExited():
            state, since_ms = open_.entered.pop(event.branch, (event.state, -1))
            _drop_below(open_, event.branch)
            if event.caught is not None:
                _of(counts, state).failed += 1
            else:
                _of(counts, state).completed += 1
                if since_ms >= 0:
                    _of(counts, state).durations_ms.append(max(event.at_ms - since_ms, 0))
        case e.TaskFailed() | e.TaskTimedOut():
            open_.failing = event.branch
        case e.RetryScheduled():
            _drop_below(open_, event.branch)
            if event.branch in open_.entered:
                _of(counts, open_.entered[event.branch][0]).retries += 1
        case e.ParallelStarted():
            open_.below[event.branch] = event.ids
        case e.ParallelFailed():
            _fail(open_, counts)
            _drop_below(open_, event.branch)
            open_.failing = event.branch
        case e.ExecutionFailed():
            _fail(open_, counts)
            _end(open_)
        case e.ExecutionSucceeded() | e.ExecutionTimedOut() | e.ExecutionAborted() | e.ExecutionForgotten():
            _end(open_)


def _of(counts: dict[str, Counts], state: str) -> Counts:
    return counts.setdefault(state, Counts())


def _fail(open_: OpenStates, counts: dict[str, Counts]) -> None:
    """The state that failed last has nobody to catch its error."""
    found = open_.entered.pop(open_.failing, None)
    if found is not None:
        _of(counts, found[0]).failed += 1


def _drop_below(open_: OpenStates, branch: int) -> None:
    for child in open_.below.pop(branch, ()):
        open_.entered.pop(child, None)
        _drop_below(open_, child)


def _end(open_: OpenStates) -> None:
    open_.entered.clear()
    open_.below.clear()
    open_.failing = -1
