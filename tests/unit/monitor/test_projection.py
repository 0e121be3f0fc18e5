"""What each event adds to the counts of the states."""

from __future__ import annotations

import random

import msgspec
import pytest

from sfc.engine import events as e
from sfc.monitor.histogram import bucket_of, middle_of, percentile
from sfc.monitor.projection import Counts, OpenStates, project
from sfc.wire.history import HistoryRecord, Summary

SUMMARY = Summary(blueprint="order", version=1, status="RUNNING", seq=9, started_ms=0, updated_ms=0)


def entered(state: str, at_ms: int = 0, branch: int = 0, kind: str = "Task") -> e.StateEntered:
    return e.StateEntered(1, 0, at_ms, branch=branch, state=state, kind=kind)


def exited(state: str, at_ms: int = 0, branch: int = 0, caught: str | None = None, kind: str = "Task") -> e.StateExited:
    return e.StateExited(1, 0, at_ms, branch=branch, state=state, kind=kind, next="x", caught=caught)


def failed(branch: int = 0) -> e.TaskFailed:
    return e.TaskFailed(1, 0, 0, branch=branch, error="Boom")


def retry(branch: int = 0) -> e.RetryScheduled:
    return e.RetryScheduled(1, 0, 0, branch=branch, retrier=0, due_ms=5)


END = e.ExecutionFailed(1, 0, 0, error="Boom")
PARALLEL_FAILED = e.ParallelFailed(1, 0, 0, branch=0, error="Boom")


def counts(*events: e.AnyEvent, cut: int | None = None) -> dict[str, tuple[int, int, int, int, list[int]]]:
    """Entered, completed, failed, retries and durations by state; with ``cut`` as two records, stored in between."""
    open_: OpenStates | None = None
    sums: dict[str, Counts] = {}
    for part in [list(events)] if cut is None else [list(events[:cut]), list(events[cut:])]:
        projection = project(HistoryRecord("order:1", 0, 1, part, SUMMARY), open_)
        open_ = msgspec.json.decode(msgspec.json.encode(projection.open), type=OpenStates)
        for state, added in projection.counts.items():
            total = sums.setdefault(state, Counts())
            total.entered += added.entered
            total.completed += added.completed
            total.failed += added.failed
            total.retries += added.retries
            total.durations_ms += added.durations_ms
    return {s: (c.entered, c.completed, c.failed, c.retries, c.durations_ms) for s, c in sums.items()}


def test_a_visit_is_timed_from_its_entry_to_its_exit() -> None:
    assert counts(entered("A", 100), exited("A", 350)) == {"A": (1, 1, 0, 0, [250])}


def test_a_visit_may_span_records() -> None:
    assert counts(entered("A", 100), exited("A", 350), cut=1) == {"A": (1, 1, 0, 0, [250])}


def test_retries_belong_to_one_visit() -> None:
    assert counts(entered("A"), failed(), retry(), failed(), retry(), exited("A", 9)) == {"A": (1, 1, 0, 2, [9])}


def test_a_caught_error_is_a_failure_of_its_state() -> None:
    assert counts(entered("A"), failed(), exited("A", caught="Boom"), entered("B")) == {"A": (1, 0, 1, 0, []), "B": (1, 0, 0, 0, [])}


def test_an_error_that_ends_the_flow_is_a_failure_of_the_state_that_had_it() -> None:
    assert counts(entered("A"), failed(), END) == {"A": (1, 0, 1, 0, [])}
    assert counts(entered("A"), exited("A", 3), entered("Unpaid", kind="Fail"), END) == {"A": (1, 1, 0, 0, [3]), "Unpaid": (1, 0, 1, 0, [])}


def test_a_failing_branch_fails_its_own_state_and_the_parallel_not_its_siblings() -> None:
    start = e.ParallelStarted(1, 0, 0, branch=0, ids=[1, 2])
    events: list[e.AnyEvent] = [entered("Both"), start, entered("L", branch=1), entered("R", branch=2), failed(1), PARALLEL_FAILED, END]
    expected: dict[str, tuple[int, int, int, int, list[int]]] = {"Both": (1, 0, 1, 0, []), "L": (1, 0, 1, 0, []), "R": (1, 0, 0, 0, [])}
    for cut in range(len(events)):
        assert counts(*events, cut=cut) == expected


def test_a_branch_whose_output_can_not_be_evaluated_fails_its_own_state() -> None:
    start = e.ParallelStarted(1, 0, 0, branch=0, ids=[1, 2])
    unfit = e.EvaluationFailed(1, 0, 0, branch=1, state="L", location="Output")
    events: list[e.AnyEvent] = [entered("Both"), start, entered("L", branch=1), entered("R", branch=2), unfit, PARALLEL_FAILED, END]
    assert counts(*events) == {"Both": (1, 0, 1, 0, []), "L": (1, 0, 1, 0, []), "R": (1, 0, 0, 0, [])}


def test_a_parallel_that_is_retried_begins_new_branches() -> None:
    start = [e.ParallelStarted(1, 0, 0, branch=0, ids=ids) for ids in ([1, 2], [3, 4])]
    first: list[e.AnyEvent] = [
        entered("Both", 10),
        start[0],
        entered("L", branch=1),
        entered("R", branch=2),
        failed(2),
        PARALLEL_FAILED,
        retry(),
    ]
    again: list[e.AnyEvent] = [
        start[1],
        entered("L", 50, 3),
        entered("R", 50, 4),
        exited("L", 60, 3),
        exited("R", 70, 4),
        exited("Both", 80),
    ]
    assert counts(*first, *again) == {"Both": (1, 1, 0, 1, [70]), "L": (2, 1, 0, 0, [10]), "R": (2, 1, 1, 0, [20])}


def test_what_was_open_at_the_end_is_forgotten_and_a_redrive_enters_anew() -> None:
    stopped = e.ExecutionAborted(1, 0, 0)
    redriven = e.ExecutionRedriven(1, 0, 0, branches=[0])
    assert counts(entered("A", 5), stopped, redriven, entered("A", 100), exited("A", 110)) == {"A": (2, 1, 0, 0, [10])}


def test_a_clock_that_went_back_gives_no_negative_time() -> None:
    assert counts(entered("A", 100), exited("A", 90)) == {"A": (1, 1, 0, 0, [0])}


def test_percentiles_are_right_within_three_percent() -> None:
    chance = random.Random(7)
    durations = sorted(int(chance.lognormvariate(6, 2)) for _ in range(5_000))
    buckets: dict[int, int] = {}
    for ms in durations:
        buckets[bucket_of(ms)] = buckets.get(bucket_of(ms), 0) + 1
    for share in (0.01, 0.5, 0.95, 0.999, 1.0):
        exact = durations[max(-(-int(len(durations) * share * 1000) // 1000) - 1, 0)]
        assert percentile(buckets, share) == pytest.approx(exact, rel=0.03, abs=0.5)
    assert percentile({}, 0.5) == 0


def test_buckets_grow_with_their_durations() -> None:
    buckets = [bucket_of(ms) for ms in range(100_000)]
    assert buckets == sorted(buckets)
    assert all(abs(middle_of(bucket_of(ms)) - ms) <= max(0.03 * ms, 0.0) for ms in range(100_000))
