"""What Map states add to the counts, told by what the engine really decides."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sfc.engine.commands import Redrive
from sfc.monitor.folding import fold
from sfc.monitor.projection import OpenStates, project
from sfc.wire.history import HistoryRecord, Summary, summarise
from tests.unit.engine.bench import Bench, program_of, task

SUMMARY = Summary(blueprint="orders", version=1, status="RUNNING", seq=9, started_ms=0, updated_ms=0)


def started(given: Any, **fields: Any) -> Bench:
    processor = {"StartAt": "P", "States": {"P": task("a")}}
    states: dict[str, Any] = {"A": {"Type": "Map", "ItemProcessor": processor, "End": True, **fields}}
    if "Catch" in fields:
        states["Z"] = {"Type": "Pass", "End": True}
    bench = Bench(program_of(states))
    bench.start(given)
    return bench


def counts(bench: Bench, cut: int) -> tuple[dict[str, tuple[int, int, int, int]], OpenStates]:
    """Entered, completed, failed and retries by state, of the history as records of so many events; and what is open at the end."""
    open_: OpenStates | None = None
    sums: dict[str, list[int]] = {}
    for start in range(0, len(bench.history), cut):
        projection = project(HistoryRecord("orders:1", 0, 1, bench.history[start : start + cut], SUMMARY), open_)
        open_ = msgspec.json.decode(msgspec.json.encode(projection.open), type=OpenStates)
        for state, added in projection.counts.items():
            total = sums.setdefault(state, [0, 0, 0, 0])
            for place, number in enumerate((added.entered, added.completed, added.failed, added.retries)):
                total[place] += number
    assert open_ is not None
    return {state: (t[0], t[1], t[2], t[3]) for state, t in sums.items()}, open_


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 1000])
def test_each_iteration_is_a_visit_and_the_map_is_one(cut: int) -> None:
    bench = started([1, 2, 3], MaxConcurrency=2)
    for job in range(3):
        bench.complete(job, job=job)
    assert counts(bench, cut) == ({"A": (1, 1, 0, 0), "P": (3, 3, 0, 0)}, OpenStates())


@pytest.mark.parametrize("cut", [1, 4, 1000])
def test_a_failed_iteration_is_its_state_s_failure_and_in_the_end_the_map_s(cut: int) -> None:
    bench = started([1, 2, 3])
    bench.complete(1, job=0)
    bench.fail(job=1)
    assert counts(bench, cut) == ({"A": (1, 0, 1, 0), "P": (3, 1, 1, 0)}, OpenStates())


@pytest.mark.parametrize("cut", [1, 4, 1000])
def test_a_retried_map_forgets_its_iterations(cut: int) -> None:
    bench = started([1, 2], Retry=[{"ErrorEquals": ["States.ALL"]}])
    bench.fail(job=0)
    found, open_ = counts(bench, cut)
    assert found == {"A": (1, 0, 0, 1), "P": (2, 0, 1, 0)}
    assert (list(open_.entered), open_.below) == ([0], {})


@pytest.mark.parametrize("cut", [1, 4, 1000])
def test_a_map_that_is_caught_has_failed(cut: int) -> None:
    bench = started([1, 2], Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Z"}])
    bench.fail(job=0)
    assert counts(bench, cut) == ({"A": (1, 0, 1, 0), "P": (2, 0, 1, 0), "Z": (1, 1, 0, 0)}, OpenStates())


@pytest.mark.parametrize("cut", [1, 1000])
def test_a_map_that_fails_by_itself(cut: int) -> None:
    bench = started([{"a": 1}, {}], MaxConcurrency=1, ItemSelector={"b.$": "$$.Map.Item.Value.a"})
    bench.complete(1)
    assert counts(bench, cut) == ({"A": (1, 0, 1, 0), "P": (1, 1, 0, 0)}, OpenStates())


def test_what_is_open_does_not_grow_with_the_iterations() -> None:
    bench = started(list(range(50)), MaxConcurrency=2)
    for job in range(30):
        bench.complete(job, job=job)
    _, open_ = counts(bench, 5)
    assert {branch: len(below) for branch, below in open_.below.items()} == {0: 2}
    assert len(open_.entered) == 3


def test_current_states_are_named_once() -> None:
    assert summarise(started([1, 2, 3]).living, 0).states == ["P"]


def test_a_history_of_a_map_is_folded_with_inputs_and_outputs() -> None:
    bench = started([1, 2], MaxConcurrency=1, ItemSelector={"it.$": "$$.Map.Item.Value"})
    bench.complete("one")
    bench.fail()
    bench.do(Redrive("r"))
    bench.complete("two")
    shown = [
        (row["name"], row.get("input", row.get("output")))
        for row in fold(bench.history)
        if row["name"].startswith(("TaskState", "MapState"))
    ]
    assert shown == [
        ("MapStateEntered", [1, 2]),
        ("MapStateStarted", None),
        ("TaskStateEntered", {"it": 1}),
        ("TaskStateExited", "one"),
        ("TaskStateEntered", {"it": 2}),
        ("MapStateFailed", None),
        ("TaskStateEntered", {"it": 2}),
        ("TaskStateExited", "two"),
        ("MapStateSucceeded", None),
        ("MapStateExited", ["one", "two"]),
    ]
