"""Map, inline: iterations, their order and number, failures, retries, holds, redrives; and how a long one yields."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from sfc.engine.commands import Pause, Redrive, ReplyTo, Resume
from sfc.engine.events import ExecutionContinued, ExecutionYielded, MapIterationStarted, MapStarted
from sfc.engine.iterations import MAP_BYTES_MAX
from sfc.engine.limits import PORTION_STEPS
from sfc.engine.turn import FLOW_BYTES_MAX, STEPS_MAX
from tests.unit.engine.bench import Bench, encode, program_of, task

WAITER = ReplyTo("replies", "gw", "1")
PASS = {"Type": "Pass", "End": True}
CONTEXT = {"index.$": "$$.Map.Item.Index", "value.$": "$$.Map.Item.Value"}


def mapped(state: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A Map whose processor has one state, P; it ends the machine unless it has a Next."""
    processor = {"StartAt": "P", "States": {"P": state}}
    return {"Type": "Map", "ItemProcessor": processor, **({} if "Next" in fields else {"End": True}), **fields}


def bench_of(state: dict[str, Any], **states: Any) -> Bench:
    return Bench(program_of({"A": state, **states}))


def each(given: Any, state: dict[str, Any] | None = None, **fields: Any) -> Bench:
    """A started flow whose items are a task's each, unless ``state`` says otherwise."""
    more = {"Z": PASS} if "Catch" in fields else {}
    bench = bench_of(mapped(state or task("a"), **fields), **more)
    bench.start(given, wait=WAITER)
    return bench


def values(bench: Bench) -> list[bytes]:
    return [job.value for job in bench.jobs]


def test_iterations_get_their_items_and_the_result_has_their_outputs_in_order() -> None:
    bench = each(["x", "y", "z"])
    assert values(bench) == [b'"x"', b'"y"', b'"z"']
    for job, output in ((2, 3), (0, 1)):
        bench.complete(output, job=job)
    assert bench.status == "RUNNING"
    bench.complete(2, job=1)
    assert bench.output == [1, 2, 3]


def test_events_are_those_of_step_functions() -> None:
    bench = each([7], PASS)
    assert bench.names() == [
        "ExecutionStarted", "MapStateEntered", "MapStateStarted", "MapIterationStarted", "PassStateEntered", "PassStateExited",
        "MapIterationSucceeded", "MapStateSucceeded", "MapStateExited", "ExecutionSucceeded",
    ]  # fmt: skip


def test_no_items_no_iterations() -> None:
    bench = each([])
    assert bench.output == []
    assert bench.names(4) == ["MapStateStarted", "MapStateSucceeded", "MapStateExited", "ExecutionSucceeded"]


@pytest.mark.parametrize(
    ("fields", "given", "output"),
    [
        ({"ItemsPath": "$.items"}, {"items": [1, 2]}, [1, 2]),
        ({"InputPath": "$.in", "ItemsPath": "$.items"}, {"in": {"items": [3]}}, [3]),
        ({"ItemsPath": "$$.Execution.Input"}, [4, 5], [4, 5]),
        ({"ItemSelector": CONTEXT}, ["x"], [{"index": 0, "value": "x"}]),
        ({"Parameters": CONTEXT}, ["x"], [{"index": 0, "value": "x"}]),
        ({"ItemsPath": "$.l", "ItemSelector": {"all.$": "$", "it.$": "$$.Map.Item.Value"}}, {"l": [1]}, [{"all": {"l": [1]}, "it": 1}]),
        ({"ItemSelector": {"c": 1}}, [8, 9], [{"c": 1}, {"c": 1}]),
        ({"ItemsPath": "$.l", "ResultPath": "$.out"}, {"l": [1]}, {"l": [1], "out": [1]}),
        ({"ItemsPath": "$.l", "ResultPath": None}, {"l": [1]}, {"l": [1]}),
        ({"ResultSelector": {"n.$": "States.ArrayLength($)"}}, [1, 2, 3], {"n": 3}),
        ({"OutputPath": "$[1]"}, [1, 2, 3], 2),
        ({"MaxConcurrency": 1}, [1, 2, 3], [1, 2, 3]),
        ({"ItemsPath": "$.l", "MaxConcurrencyPath": "$.n"}, {"l": [1, 2], "n": "1"}, [1, 2]),
        ({"ItemsPath": "$.l", "MaxConcurrencyPath": "$.n"}, {"l": [1, 2], "n": 2.0}, [1, 2]),
        ({"ToleratedFailureCount": 1, "ToleratedFailurePercentage": 0.5}, [1], [1]),
    ],
)
def test_items_selectors_and_results(fields: dict[str, Any], given: Any, output: Any) -> None:
    assert each(given, PASS, **fields).output == output


@pytest.mark.parametrize(
    ("fields", "given", "cause"),
    [
        ({}, {"a": 1}, 'Reference path "$" must point to array.'),
        ({"ItemsPath": "$.a"}, {"a": "b"}, 'Reference path "$.a" must point to array.'),
        ({"ItemsPath": "$.b"}, {"a": 1}, "Invalid path '$.b' : No results for path: $['b']"),
        ({"InputPath": "$.b"}, {"a": 1}, "Invalid path '$.b' : No results for path: $['b']"),
        (
            {"ItemsPath": "$.a", "MaxConcurrencyPath": "$.n"},
            {"a": [1], "n": "NoNumber"},
            'The MaxConcurrencyPath field refers to value "NoNumber" which is not a valid integer: $.n',
        ),
        (
            {"ItemsPath": "$.a", "MaxConcurrencyPath": "$.n"},
            {"a": [1], "n": True},
            'The MaxConcurrencyPath field refers to value "true" which is not a valid integer: $.n',
        ),
        (
            {"ItemsPath": "$.a", "MaxConcurrencyPath": "$.n"},
            {"a": [1], "n": -1},
            "Expected non-negative integer for MaxConcurrency, got '-1' instead.",
        ),
    ],
)
def test_what_is_wrong_before_the_map_has_started(fields: dict[str, Any], given: Any, cause: str) -> None:
    bench = each(given, PASS, **fields)
    assert (bench.status, bench.living.error) == ("FAILED", "States.Runtime")
    assert bench.living.cause == f"An error occurred while executing the state 'A' (entered at the event id #2). {cause}"
    assert bench.names(2) == ["MapStateEntered", "ExecutionFailed"]


@pytest.mark.parametrize(
    ("field", "found", "cause"),
    [
        ("ToleratedFailureCountPath", -1, "ToleratedFailureCount cannot be negative."),
        ("ToleratedFailureCountPath", {}, 'refers to value "{}" which is not a valid integer: $.n'),
        ("ToleratedFailurePercentagePath", 100.1, "ToleratedFailurePercentage must be between 0 and 100."),
        ("ToleratedFailurePercentagePath", "x", 'refers to value "x" which is not a valid float: $.n'),
    ],
)
def test_wrong_thresholds_are_found_after_it(field: str, found: Any, cause: str) -> None:
    bench = each({"l": [1], "n": found}, PASS, ItemsPath="$.l", **{field: "$.n"})
    assert bench.living.error == "States.Runtime"
    assert (bench.living.cause or "").endswith(cause)
    assert bench.names(3) == ["MapStateEntered", "MapStateStarted", "ExecutionFailed"]
    assert bench.root.phase == "failed"


def test_a_selector_that_finds_nothing_fails_the_map_itself() -> None:
    bench = each([{"a": 1}, {}], task("a"), ItemSelector={"b.$": "$$.Map.Item.Value.a"})
    assert (bench.status, bench.living.error) == ("FAILED", "States.Runtime")
    assert list(bench.living.branches) == [0], "its iterations are gone, and their jobs with them"
    assert bench.root.phase == "failed"
    assert bench.jobs == []


# How many at once


@pytest.mark.parametrize(
    ("fields", "at_once"), [({}, 40), ({"MaxConcurrency": 0}, 40), ({"MaxConcurrency": 3}, 3), ({"MaxConcurrency": 99}, 40)]
)
def test_so_many_iterations_live_at_once(fields: dict[str, Any], at_once: int) -> None:
    bench = each(list(range(100)), **fields)
    for done in range(100):
        assert len(bench.living.branches) - 1 == min(at_once, 100 - done)
        bench.complete(done, job=done)
    assert bench.output == list(range(100))


def test_items_are_kept_once_and_done_iterations_are_no_branches() -> None:
    bench = each([f"item {n} " + "x" * 1000 for n in range(100)], MaxConcurrency=1)
    size = len(encode(bench.living))
    for done in range(50):
        bench.complete(done, job=done)
    assert list(bench.living.branches) == [0, 51]
    assert len(encode(bench.living)) < size + 50 * 4


def test_the_started_event_has_the_items_only_where_they_are_not_the_input() -> None:
    started = next(e for e in each([1], PASS).history if isinstance(e, MapStarted))
    assert not isinstance(started.items, list)
    inner = next(e for e in each({"l": [1]}, PASS, ItemsPath="$.l").history if isinstance(e, MapStarted))
    assert inner.items == [1]


def test_an_iteration_s_input_is_told_only_where_it_is_not_the_item() -> None:
    told = [e.input for e in each([1, 2], PASS).history if isinstance(e, MapIterationStarted)]
    assert told == [UNSET, UNSET]
    told = [e.input for e in each([1], PASS, ItemSelector={"a": 1}).history if isinstance(e, MapIterationStarted)]
    assert told == [{"a": 1}]


# Failures


def test_an_iteration_s_error_is_the_map_s_and_ends_the_others() -> None:
    bench = each([1, 2, 3])
    bench.fail("Broken", job=1)
    assert (bench.status, bench.living.error, bench.living.cause) == ("FAILED", "Broken", "it broke")
    assert bench.names(6) == [
        "TaskFailed", "MapIterationFailed", "MapIterationAborted", "MapIterationAborted", "MapStateFailed", "ExecutionFailed",
    ]  # fmt: skip
    assert [b.phase for b in bench.living.branches.values()] == ["branches", "stopped", "failed", "stopped"]
    assert bench.complete(1, job=0).closed


def test_a_retry_starts_the_map_anew_without_entering_it() -> None:
    bench = each([1, 2], Retry=[{"ErrorEquals": ["Broken"], "IntervalSeconds": 1}])
    bench.complete("done", job=0)
    bench.fail("Broken", job=1)
    assert list(bench.living.branches) == [0]
    assert bench.root.map is None
    bench.fire(1000)
    assert (bench.names().count("MapStateEntered"), bench.names().count("MapStateStarted")) == (1, 2)
    assert "MapStateFailed" not in bench.names()
    assert len(bench.jobs) == 4, "all iterations start again"
    bench.complete("x", job=2)
    bench.complete("y", job=3)
    assert bench.output == ["x", "y"]


def test_retries_are_used_up_one_after_another() -> None:
    bench = each(
        [1], {"Type": "Fail", "Error": "E"}, Retry=[{"ErrorEquals": ["E"], "MaxAttempts": 2, "IntervalSeconds": 1, "BackoffRate": 1}]
    )
    bench.fire(1000)
    assert bench.status == "RUNNING"
    bench.fire(2000)
    assert (bench.status, bench.living.error) == ("FAILED", "E")
    assert bench.names(3) == ["MapIterationFailed", "MapStateFailed", "ExecutionFailed"]


def test_a_catcher_gets_the_iteration_s_error_and_the_map_s_own_result_path_counts_for_nothing() -> None:
    bench = each([1, 2], ResultPath=None, Catch=[{"ErrorEquals": ["Broken"], "Next": "Z"}])
    bench.fail("Broken", job=0)
    assert bench.output == {"Error": "Broken", "Cause": "it broke"}
    assert bench.names(6) == [
        "MapIterationAborted",
        "MapStateFailed",
        "MapStateExited",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]


def test_what_follows_a_caught_map_knows_nothing_of_it() -> None:
    branch = {"StartAt": "B", "States": {"B": {**PASS, "Parameters": {"map.$": "$$.Map"}}}}
    states = {
        "A": mapped({"Type": "Fail", "Error": "E"}, Catch=[{"ErrorEquals": ["E"], "Next": "Z"}]),
        "Z": {"Type": "Parallel", "Branches": [branch], "End": True},
    }
    bench = Bench(program_of(states))
    bench.start([1])
    assert bench.living.error == "States.Runtime"
    assert "'$$.Map'" in (bench.living.cause or "")
    assert bench.root.map is None


def test_a_result_that_is_too_large_can_be_caught() -> None:
    bench = each([1, 2], Catch=[{"ErrorEquals": ["States.DataLimitExceeded"], "ResultPath": "$[0]", "Next": "Z"}])
    bench.complete("x" * 200_000, job=0)
    bench.complete("y" * 200_000, job=1)
    assert bench.output[0]["Error"] == "States.DataLimitExceeded"
    assert "'A'" in bench.output[0]["Cause"]


@pytest.mark.parametrize("caught", [True, False])
def test_results_that_would_not_fit_into_the_state_fail_the_map_by_its_name(caught: bool) -> None:
    more: dict[str, Any] = {"Catch": [{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "Z"}]} if caught else {}
    bench = each(list(range(30)), MaxConcurrency=1, ResultPath=None, **more)
    for done in range(30):
        if bench.complete("x" * 200_000, job=done).flow is None or not bench.living.running:
            break
        assert len(encode(bench.living)) <= FLOW_BYTES_MAX
    assert done == MAP_BYTES_MAX // 200_000
    cause = bench.output["Cause"] if caught else bench.living.cause
    assert cause is not None
    assert "items and results of state 'A'" in cause
    assert bench.status == ("SUCCEEDED" if caught else "FAILED")
    if not caught:
        assert bench.living.error == "States.DataLimitExceeded"


def test_maps_in_branches_are_bounded_together() -> None:
    """Each keeps less than it may, both together more than the flow may."""
    branches = []
    for name in ("M", "N"):
        inner = mapped(task("a"), MaxConcurrency=1, ResultPath=None)
        inner["ItemProcessor"] = {"StartAt": f"{name}P", "States": {f"{name}P": task("a")}}
        branches.append({"StartAt": name, "States": {name: inner}})
    bench = bench_of({"Type": "Parallel", "Branches": branches, "End": True})
    bench.start(list(range(30)))
    for done in range(60):
        bench.complete("x" * 200_000, job=done)
        if not bench.living.running:
            break
    assert (bench.living.error, done) == ("States.DataLimitExceeded", FLOW_BYTES_MAX // 200_000)
    assert len(encode(bench.living)) < FLOW_BYTES_MAX


# Nesting


def test_a_map_in_a_map_sees_its_own_item() -> None:
    inner = mapped({**PASS, "Parameters": CONTEXT}, ItemsPath="$$.Map.Item.Value")
    inner["ItemProcessor"]["StartAt"] = "Q"
    inner["ItemProcessor"]["States"] = {"Q": {**PASS, "Parameters": CONTEXT}}
    bench = each([["a", "b"], ["c"]], inner)
    assert bench.output == [[{"index": 0, "value": "a"}, {"index": 1, "value": "b"}], [{"index": 0, "value": "c"}]]


def test_a_parallel_in_an_iteration_sees_the_iteration_s_item() -> None:
    branch = {"StartAt": "B", "States": {"B": {**PASS, "Parameters": CONTEXT}}}
    bench = each(["a", "b"], {"Type": "Parallel", "Branches": [branch], "End": True})
    assert bench.output == [[{"index": 0, "value": "a"}], [{"index": 1, "value": "b"}]]


def test_a_failure_goes_up_through_maps_and_parallels() -> None:
    branches = [{"StartAt": "B", "States": {"B": task("a")}}, {"StartAt": "C", "States": {"C": task("b")}}]
    bench = each([1, 2], {"Type": "Parallel", "Branches": branches, "End": True})
    bench.fail("Broken", job=0)
    assert bench.names(5) == ["ParallelStateFailed", "MapIterationFailed", "MapIterationAborted", "MapStateFailed", "ExecutionFailed"]
    assert sorted(b.phase for b in bench.living.branches.values()) == ["branches"] * 3 + ["failed"] + ["stopped"] * 3


def test_a_map_beside_a_branch_that_fails_is_stopped_with_it() -> None:
    branches = [{"StartAt": "M", "States": {"M": mapped(task("a"))}}, {"StartAt": "C", "States": {"C": task("b")}}]
    bench = bench_of({"Type": "Parallel", "Branches": branches, "End": True, "Retry": [{"ErrorEquals": ["Broken"], "IntervalSeconds": 1}]})
    bench.start([1, 2], wait=WAITER)
    c = next(n for n, j in enumerate(bench.jobs) if j.state == "C")
    bench.fail("Broken", job=c)
    assert list(bench.living.branches) == [0], "at any depth"
    bench.fire(1000)
    for n, job in enumerate(bench.jobs[-3:], len(bench.jobs) - 3):
        bench.complete(job.state, job=n)
    assert bench.output == [["P", "P"], "C"]


# Holds, timers, redrives


def test_pausing_keeps_answers_and_starts_nothing() -> None:
    bench = each([1, 2, 3], MaxConcurrency=1)
    bench.do(Pause())
    bench.complete("x")
    assert len(bench.jobs) == 1
    bench.do(Resume())
    assert len(bench.jobs) == 2
    bench.complete("y")
    bench.complete("z")
    assert bench.output == ["x", "y", "z"]


def test_a_held_task_in_an_iteration_makes_the_flow_stand_and_it_goes_on_from_there() -> None:
    bench = each([1, 2], MaxConcurrency=1)
    bench.hold("task:a")
    bench.complete("x")
    assert len(bench.jobs) == 1
    bench.lift("task:a")
    assert len(bench.jobs) == 2
    bench.complete("y")
    assert bench.output == ["x", "y"]


def test_waits_of_iterations_end_each_at_their_time() -> None:
    bench = each([3, 1, 2], {"Type": "Wait", "SecondsPath": "$", "End": True})
    assert bench.due == 1000
    for seconds in (1, 2, 3):
        bench.fire(seconds * 1000)
    assert bench.output == [3, 1, 2]


def test_a_redrive_leaves_what_is_done_and_runs_the_others() -> None:
    bench = each([1, 2, 3, 4], MaxConcurrency=2)
    bench.complete("a", job=0)
    bench.fail("Broken", job=1)
    made = len(bench.jobs)
    bench.do(Redrive(request="r", input="edited", edited=True))
    assert values(bench)[made:] == [b'"edited"', b"3"]
    bench.complete("b", job=made)
    assert values(bench)[-1] == b"4"
    bench.complete("d", job=made + 2)
    bench.complete("c", job=made + 1)
    assert bench.living.status == "SUCCEEDED"
    assert bench.names().count("MapStateStarted") == 1
    assert [job.attempt for job in bench.jobs] == [1] * len(bench.jobs)


def test_a_map_that_failed_by_itself_is_entered_anew_by_a_redrive() -> None:
    bench = each({"no": "list"}, PASS)
    bench.do(Redrive(request="r", input=[1], edited=True))
    assert bench.names(10).count("MapStateEntered") == 1
    assert bench.living.status == "SUCCEEDED"


# A long one yields


def test_a_map_of_many_quick_iterations_yields_and_comes_to_its_end() -> None:
    count = STEPS_MAX + PORTION_STEPS
    bench = each(list(range(count)), PASS)
    decisions = 0
    while bench.living.running:
        assert bench.due > 0
        bench.fire(bench.due)
        decisions += 1
    assert bench.output == list(range(count))
    assert decisions >= count // PORTION_STEPS
    assert sum(isinstance(e, ExecutionYielded) for e in bench.history) == decisions
    assert sum(isinstance(e, ExecutionContinued) for e in bench.history) == decisions


def test_what_yields_stands_under_a_hold_and_goes_on_after_it() -> None:
    bench = each(list(range(PORTION_STEPS + 10)), PASS)
    bench.do(Pause())
    assert bench.due < 0
    assert bench.fire(5000).events == []
    bench.do(Resume())
    assert bench.output == list(range(PORTION_STEPS + 10))


def test_iterations_that_all_take_long_count_each_for_itself() -> None:
    """40 living iterations of 300 transitions each are no endless loop."""
    count = {"Type": "Choice", "Choices": [{"Variable": "$", "NumericLessThan": 150, "Next": "P"}], "Default": "S"}
    states = {
        "P": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($, 1)"}, "OutputPath": "$.n", "Next": "Q"},
        "Q": count,
        "S": {"Type": "Succeed"},
    }
    state = mapped(PASS)
    state["ItemProcessor"] = {"StartAt": "P", "States": states}
    bench = bench_of(state)
    bench.start([0] * 40, wait=WAITER)
    while bench.living.running:
        bench.fire(bench.due)
    assert bench.output == [150] * 40


@pytest.mark.parametrize("where", ["in an iteration", "around the Map"])
def test_a_loop_without_end_is_found_through_its_yields(where: str) -> None:
    always = {"Type": "Choice", "Choices": [{"Variable": "$", "IsPresent": False, "Next": "S"}]}
    if where == "around the Map":
        states = {"A": mapped(PASS, Next="B"), "B": {**always, "Default": "A"}, "S": {"Type": "Succeed"}}
        bench = Bench(program_of(states))
    else:
        state = mapped(PASS)
        state["ItemProcessor"] = {
            "StartAt": "P",
            "States": {"P": {"Type": "Pass", "Next": "Q"}, "Q": {**always, "Default": "P"}, "S": {"Type": "Succeed"}},
        }
        bench = bench_of(state)
    bench.start([1], wait=WAITER)
    for _ in range(2 * STEPS_MAX):
        if not bench.living.running:
            break
        bench.fire(bench.due)
    assert bench.living.error == "States.Runtime"
    assert "a loop without a Wait or a Task" in (bench.living.cause or "")


def test_waiting_starts_the_count_anew() -> None:
    """A loop of Maps with a Task in each may go on for ever."""
    bench = Bench(program_of({"A": mapped(task("a"), Next="B"), "B": {"Type": "Pass", "Next": "C"}, "C": {"Type": "Choice", "Choices": [
        {"Variable": "$[0]", "StringEquals": "end", "Next": "S"}], "Default": "A"}, "S": {"Type": "Succeed"}}))  # fmt: skip
    bench.start([1], wait=WAITER)
    for _ in range(50):
        bench.complete("x")
        assert bench.root.steps == 3, "of this turn alone"
    bench.complete("end")
    assert bench.output == ["end"]


def test_so_it_does_inside_of_an_iteration() -> None:
    again = {"Type": "Choice", "Choices": [{"Variable": "$", "StringEquals": "end", "Next": "S"}], "Default": "P"}
    state = mapped(PASS)
    state["ItemProcessor"] = {"StartAt": "P", "States": {"P": task("a", Next="Q"), "Q": again, "S": {"Type": "Succeed"}}}
    bench = bench_of(state)
    bench.start(["x"], wait=WAITER)
    for _ in range(20):
        bench.complete("x")
        assert [branch.steps for branch in bench.living.branches.values()] == [0, 2], "of this turn alone"
    bench.complete("end")
    assert bench.output == ["end"]
