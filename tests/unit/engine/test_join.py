"""Detached Parallel and Join: branches that run beside the flow, and what takes their results."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.engine.commands import ChildEnded, Redrive, ReplyTo, Start, Stop
from tests.unit.engine.bench import Bench, program_of, task

TO = ReplyTo("replies", "me", "1")
BRANCHES = [{"StartAt": name, "States": {name: task(name.lower())}} for name in ("A", "B", "C")]


def machine(*, until: Any = None, after: dict[str, Any] | None = None, **join: Any) -> dict[str, Any]:
    """Ship is started detached, D is done meanwhile, and J joins."""
    wait = {
        "Type": "Join",
        "Of": "Ship",
        **({} if until is None else {"Until": until}),
        **({} if "Next" in join else {"End": True}),
        **join,
    }
    return {
        "Ship": {"Type": "Parallel", "Detached": True, "Branches": BRANCHES, "Next": "D"},
        "D": task("d", Next="J", ResultPath=None),
        "J": wait,
        **(after or {}),
    }


def started(states: dict[str, Any] | None = None, given: Any = None, **more: Any) -> Bench:
    bench = Bench(program_of(states or machine(), "Ship", **more))
    bench.start(given, wait=TO)
    return bench


A, B, C, D = 0, 1, 2, 3  # the jobs, in the order of their dispatch


def order(bench: Bench) -> list[str]:
    return [job.state for job in bench.jobs]


def test_the_flow_goes_on_at_once_and_the_branches_run_beside_it() -> None:
    bench = started()
    assert order(bench) == ["A", "B", "C", "D"]
    for number in (C, A, D, B):
        bench.complete(number, job=number)
    assert bench.status == "SUCCEEDED"
    assert bench.output == [A, B, C]


def test_what_was_done_before_the_join_ends_it_at_once() -> None:
    bench = started()
    for number in (A, B, C):
        bench.complete(number, job=number)
    assert bench.status == "RUNNING"
    bench.complete(job=D)
    assert bench.status == "SUCCEEDED"
    assert bench.names(4) == ["JoinStarted", "JoinSucceeded", "JoinStateExited", "ExecutionSucceeded"]


@pytest.mark.parametrize(("until", "enough"), [("Any", [C]), (1, [B]), (2, [C, A]), ("All", [A, B, C]), (3, [C, B, A])])
def test_until_so_many_are_done_and_the_others_end(until: Any, enough: list[int]) -> None:
    bench = started(machine(until=until, Next="Z", after={"Z": task("a")}))
    bench.complete(job=D)
    for number in enough[:-1]:
        bench.complete(number, job=number)
        assert bench.root.state == "J"
    bench.complete(enough[-1], job=enough[-1])
    assert bench.root.state == "Z"
    assert bench.root.data == [number if number in enough else None for number in (A, B, C)]
    assert list(bench.living.branches) == [0], "nothing is left of them"
    for number in {A, B, C} - set(enough):
        assert bench.complete(job=number).closed


def test_a_failure_is_the_joins_where_too_few_can_be_done() -> None:
    catch = [{"ErrorEquals": ["Broken"], "ResultPath": "$.why", "Next": "Z"}]
    bench = started(machine(until=2, Catch=catch, after={"Z": task("a")}), {"n": 1})
    bench.fail("First", job=B)
    assert bench.status == "RUNNING"
    bench.complete(job=D)
    assert bench.root.state == "J"
    bench.fail("Second", job=C)
    assert (bench.status, bench.living.error) == ("FAILED", "First"), "the first failure is told"
    again = started(machine(Catch=catch, after={"Z": task("a")}), {"n": 1})
    again.complete(job=D)
    again.fail("Broken", "why", job=A)
    assert again.root.data == {"n": 1, "why": {"Error": "Broken", "Cause": "why"}}
    assert again.root.state == "Z"
    assert not again.complete(job=B).closed, "the others run on"


def test_any_takes_the_one_that_does_not_fail() -> None:
    bench = started(machine(until="Any"))
    bench.complete(job=D)
    bench.fail(job=A)
    bench.fail(job=B)
    bench.complete("c", job=C)
    assert bench.status == "SUCCEEDED"


def test_a_join_times_out_and_may_be_tried_again() -> None:
    retry = [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    bench = started(machine(TimeoutSeconds=60, Retry=retry))
    bench.complete(job=D)
    bench.fire(60_000)
    for number in (A, B):
        bench.complete(number, job=number)
    bench.fire(61_000)
    bench.complete(C, job=C)
    assert bench.status == "SUCCEEDED"
    late = started(machine(TimeoutSeconds=60))
    late.complete(job=D)
    late.fire(60_000)
    assert (late.living.error, late.living.cause) == ("States.Timeout", "the branches of Ship were not done in time")


def test_a_redrive_takes_up_what_failed_beside_the_flow() -> None:
    bench = started()
    bench.complete("a", job=A)
    bench.complete(job=D)
    bench.fail(job=B)
    assert bench.status == "FAILED"
    bench.do(Redrive("r"))
    assert order(bench)[4:] == ["B", "C"]
    bench.complete("b", job=4)
    bench.complete("c", job=5)
    assert bench.status == "SUCCEEDED"


def test_branches_that_nobody_joins_end_with_the_flow() -> None:
    states = machine() | {"Ship": machine()["Ship"] | {"Next": "E"}, "E": {"Type": "Succeed"}}
    states.pop("D")
    states.pop("J")
    bench = started(states)
    assert bench.status == "SUCCEEDED"
    assert all(bench.complete(job=number).closed for number in (A, B, C))


def test_they_end_with_the_branch_that_started_them() -> None:
    inner = {"StartAt": "Ship", "States": {"Ship": machine()["Ship"] | {"Next": "W"}, "W": task("d")}}
    states = {"P": {"Type": "Parallel", "Branches": [inner, {"StartAt": "X", "States": {"X": task("a")}}], "End": True}}
    bench = Bench(program_of(states, "P"))
    bench.start({})
    jobs = {job.state: number for number, job in enumerate(bench.jobs)}
    bench.complete(job=jobs["W"])
    assert bench.complete(job=jobs["A"]).closed
    bench.complete(job=jobs["X"])
    assert bench.status == "SUCCEEDED"


def test_a_parallel_that_is_joined_by_itself_leaves_detached_branches_alone() -> None:
    states = machine() | {"D": {"Type": "Parallel", "Branches": [{"StartAt": "E", "States": {"E": task("d")}}], "Next": "J"}}
    bench = started(states)
    bench.complete("e", job=D)
    assert bench.root.state == "J"
    for number in (A, B, C):
        bench.complete(number, job=number)
    assert bench.status == "SUCCEEDED"


def test_started_again_the_earlier_ones_end() -> None:
    states = machine() | {"D": task("d", Next="?"), "?": {"Type": "Choice", "Choices": [
        {"Variable": "$.again", "BooleanEquals": True, "Next": "Ship"}], "Default": "J"}}  # fmt: skip
    bench = started(states)
    bench.complete({"again": True}, job=D)
    assert order(bench)[4:] == ["A", "B", "C", "D"]
    assert bench.complete(job=A).closed
    bench.complete({"again": False}, job=7)
    for number in (4, 5, 6):
        bench.complete(number, job=number)
    assert bench.status == "SUCCEEDED"


def test_a_join_of_what_was_joined_or_never_started_fails() -> None:
    bench = started(machine(Next="K", after={"K": {"Type": "Join", "Of": "Ship", "End": True}}))
    for number in (A, B, C, D):
        bench.complete(job=number)
    assert (bench.status, bench.living.error) == ("FAILED", "States.Runtime")


def test_they_see_the_variables_as_they_were_and_an_item_of_the_map_around() -> None:
    seen = {"x.$": "$v", "i.$": "$$.Map.Item.Index"}
    branch = {"StartAt": "A", "States": {"A": task("a", Parameters=seen)}}
    inner = {
        "Ship": {"Type": "Parallel", "Detached": True, "Branches": [branch], "Next": "J"},
        "J": {"Type": "Join", "Of": "Ship", "End": True},
    }
    states = {
        "V": {"Type": "Pass", "Assign": {"v": 7}, "Next": "M"},
        "M": {"Type": "Map", "ItemProcessor": {"StartAt": "Ship", "States": inner}, "End": True},
    }
    bench = Bench(program_of(states, "V"))
    bench.start(["p", "q"], wait=TO)
    assert [job.value for job in bench.jobs] == [b'{"x":7,"i":0}', b'{"x":7,"i":1}']
    bench.complete(1, job=1)
    bench.complete(0, job=0)
    assert bench.output == [[0], [1]]


def test_a_child_flow_of_a_branch_that_loses_is_stopped() -> None:
    branches = [{"StartAt": "K", "States": {"K": task("a") | {"Resource": "blueprint:pay@1"}}}, BRANCHES[1]]
    states = machine(until="Any") | {"Ship": machine()["Ship"] | {"Branches": branches}}
    bench = Bench(program_of(states, "Ship", blueprints={"pay@1": "h"}))
    bench.start({})
    bench.complete(job=1)  # D
    bench.complete("b", job=0)
    assert bench.status == "SUCCEEDED"
    assert [type(sent.command) for sent in bench.sent] == [Start, Stop]
    start = bench.sent[0].command
    assert isinstance(start, Start)
    assert start.parent is not None
    assert bench.do(ChildEnded(start.parent.token, "ABORTED")).closed


@pytest.mark.parametrize("kind", ["Parallel", "Map"])
def test_a_redrive_runs_a_branch_again_that_failed_within_a_state_of_its_own(kind: str) -> None:
    machine_of = {"StartAt": "A", "States": {"A": task("a")}}
    within = {"Branches": [machine_of]} if kind == "Parallel" else {"ItemProcessor": machine_of}
    ship = machine()["Ship"] | {"Branches": [{"StartAt": "I", "States": {"I": {"Type": kind, **within, "End": True}}}], "Next": "J"}
    bench = started(machine() | {"Ship": ship}, [1])
    bench.fail()
    assert bench.status == "FAILED"
    bench.do(Redrive("r"))
    assert bench.root.phase == "waiting"
    bench.complete("a")
    assert bench.status == "SUCCEEDED"
