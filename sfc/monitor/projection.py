"""From history to what the index shows. Pure: the same records give the same documents and counts on every adapter."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field

from sfc.engine import events as e
from sfc.ports import FlowDocument
from sfc.wire.history import HistoryRecord


class Visit(Struct, omit_defaults=True):
    """A run's stay in a state, named by the number of the event that entered it. ``as_of``: of the last event that changed it."""

    state: str
    seq: int
    as_of: int
    since_ms: int = -1  # -1: its beginning is not known, and ``seq`` is that of its end
    retries: int = 0
    outcome: str = ""  # or completed, failed
    duration_ms: int = -1  # of a completed visit whose beginning is known


class OpenStates(Struct, omit_defaults=True):
    """States that a run has entered and not left yet. Kept beside its document, so that records can be taken one by one."""

    entered: dict[int, Visit] = field(default_factory=dict)  # by branch
    below: dict[int, list[int]] = field(default_factory=dict)  # branch inside a Parallel or a Map: the branches that it started
    failing: int = -1  # the branch whose state was the last to fail or to be entered; -1: none


class Counts(Struct):
    """What has happened in one state. ``durations_ms`` are those of the completed visits whose beginning is known."""

    entered: int = 0
    completed: int = 0
    failed: int = 0
    retries: int = 0
    durations_ms: list[int] = field(default_factory=list)


class Projection(NamedTuple):
    """A record's document, what is open after it, what it adds to each state's counts, and the visits that it changed, by ``seq``.

    Counts are for an index that can add up in one transaction with its positions; visits for one that can't: a visit that is written
    again is the same one.
    """

    document: FlowDocument
    open: OpenStates
    counts: dict[str, Counts]
    visits: dict[int, Visit]


def project(record: HistoryRecord, open_: OpenStates | None = None) -> Projection:
    """``open_``: what was open after the record before, of the same run; None at its start. It is changed and handed back."""
    states = open_ or OpenStates()
    counts: dict[str, Counts] = {}
    visits: dict[int, Visit] = {}
    for event in record.events:
        visit = _follow(event, states)
        if visit is not None:
            visit.as_of = event.seq
            visits[visit.seq] = visit
            _count(event, visit, counts.setdefault(visit.state, Counts()))
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
    return Projection(document, states, counts, visits)


def _follow(event: e.Event, open_: OpenStates) -> Visit | None:
    """The visit that the event begins, retries or ends."""
    match event:
        case e.StateEntered():
            open_.failing = event.branch
            visit = open_.entered[event.branch] = Visit(event.state, event.seq, event.seq, event.at_ms)
            return visit
        case e.StateExited():
            visit = open_.entered.pop(event.branch, Visit(event.state, event.seq, event.seq))
            _drop_below(open_, event.branch)
            visit.outcome = "completed" if event.caught is None else "failed"
            if event.caught is None and visit.since_ms >= 0:
                visit.duration_ms = max(event.at_ms - visit.since_ms, 0)
            return visit
        case e.TaskFailed() | e.TaskTimedOut() | e.EvaluationFailed():
            open_.failing = event.branch
        case e.RetryScheduled():
            _drop_below(open_, event.branch)
            retried = open_.entered.get(event.branch)
            if retried is not None:
                retried.retries += 1
            return retried
        case e.ParallelStarted():
            open_.below[event.branch] = event.ids
        case e.DetachedStarted():
            open_.below[event.id] = event.ids
        case e.DetachedFailed():
            return _fail(open_)
        case e.JoinSucceeded():
            _drop_below(open_, event.holder)
        case e.JoinFailed():
            open_.failing = event.branch
        case e.MapIterationStarted():
            open_.below.setdefault(event.branch, []).append(event.id)
        case e.MapIterationSucceeded():
            _done(open_, event.branch, event.id)
        case e.MapIterationFailed(tolerated=True):
            failed = _fail(open_)
            _done(open_, event.branch, event.child)
            return failed
        case e.ParallelFailed() | e.MapIterationFailed():
            failed = _fail(open_)
            _drop_below(open_, event.branch)
            open_.failing = event.branch
            return failed
        case e.MapFailed(own=True):
            _drop_below(open_, event.branch)
            open_.failing = event.branch
        case e.ExecutionFailed():
            failed = _fail(open_)
            _end(open_)
            return failed
        case e.ExecutionSucceeded() | e.ExecutionTimedOut() | e.ExecutionAborted() | e.ExecutionForgotten():
            _end(open_)
    return None


def _count(event: e.Event, visit: Visit, counts: Counts) -> None:
    match event:
        case e.StateEntered():
            counts.entered += 1
        case e.RetryScheduled():
            counts.retries += 1
        case _ if visit.outcome == "failed":
            counts.failed += 1
        case _:
            counts.completed += 1
            if visit.duration_ms >= 0:
                counts.durations_ms.append(visit.duration_ms)


def _fail(open_: OpenStates) -> Visit | None:
    """The state that failed last has nobody to catch its error."""
    found = open_.entered.pop(open_.failing, None)
    if found is not None:
        found.outcome = "failed"
    return found


def _done(open_: OpenStates, branch: int, iteration: int) -> None:
    """An iteration of a Map has ended; what is told of a run must not grow with the iterations that it has had."""
    _drop_below(open_, iteration)
    open_.entered.pop(iteration, None)
    at_work = open_.below.get(branch, [])
    if iteration in at_work:  # its beginning may not be known
        at_work.remove(iteration)


def _drop_below(open_: OpenStates, branch: int) -> None:
    for child in open_.below.pop(branch, ()):
        open_.entered.pop(child, None)
        _drop_below(open_, child)


def _end(open_: OpenStates) -> None:
    open_.entered.clear()
    open_.below.clear()
    open_.failing = -1
