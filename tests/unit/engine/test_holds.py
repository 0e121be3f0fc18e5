"""Holds of a shard by subject: what stands, what goes on, and how long timers stand still."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.engine.commands import Heartbeat, Pause, Redrive, Resume, Stop
from sfc.engine.events import ExecutionPaused, ExecutionResumed
from sfc.engine.flow import next_due_ms
from tests.unit.engine.bench import T0, Bench, program_of, task

RETAIL = {"Group": "retail"}
RETRY = [{"ErrorEquals": ["Once"], "IntervalSeconds": 3, "MaxAttempts": 1}]
TWO = {"A": task("a", TimeoutSeconds=10, Retry=RETRY, Next="B"), "B": task("b")}
WHOLE = ["blueprint:orders", "version:orders@1", "group:retail"]  # these hold all flows of the program
EACH = [*WHOLE, "task:a"]  # and this one that is at A
OTHERS = ["blueprint:order", "version:orders@2", "group:food", "task:b", "task:orders"]

each_subject = pytest.mark.parametrize("subject", EACH)
each_freeze = pytest.mark.parametrize("freeze", [True, False])


def bench_of(states: dict[str, Any] | None = None, **more: Any) -> Bench:
    return Bench(program_of(TWO if states is None else states, Sfc=RETAIL, **more))


def started(states: dict[str, Any] | None = None, **more: Any) -> Bench:
    bench = bench_of(states, **more)
    bench.start({"n": 1}, keep_id=True)
    return bench


def parallel(x: dict[str, Any], y: dict[str, Any], **more: Any) -> dict[str, Any]:
    branches = [{"StartAt": "X", "States": {"X": x}}, {"StartAt": "Y", "States": {"Y": y}}]
    return {"Type": "Parallel", "Branches": branches, **({} if "Next" in more else {"End": True}), **more}


def pauses(bench: Bench) -> list[ExecutionPaused]:
    return [event for event in bench.history if isinstance(event, ExecutionPaused)]


def shift_of(bench: Bench) -> int:
    return [event for event in bench.history if isinstance(event, ExecutionResumed)][-1].shift_ms


# -- every kind of subject


@each_subject
@each_freeze
def test_a_flow_started_under_a_hold_says_so_and_enters_its_first_state_when_it_is_lifted(subject: str, freeze: bool) -> None:
    bench = bench_of(TimeoutSeconds=60)
    bench.hold(subject, freeze=freeze)
    bench.at(5000)
    bench.start({"n": 1})
    assert (bench.jobs, bench.names()) == ([], ["ExecutionStarted", "ExecutionPaused"])
    assert (pauses(bench)[0].own, pauses(bench)[0].reason) == (False, subject)
    assert bench.due == (-T0 if freeze else 65_000)
    bench.at(25_000)
    bench.lift(subject)
    assert [j.state for j in bench.jobs] == ["A"]
    assert bench.living.due_ms - T0 == (85_000 if freeze else 65_000)


@each_subject
def test_an_answer_waits_until_the_hold_is_lifted(subject: str) -> None:
    bench = started()
    bench.hold(subject)
    bench.complete("answer")
    assert bench.names(1) == ["OutcomeHeld"]
    assert bench.complete("again").closed
    bench.at(3_600_000)
    bench.lift(subject)
    assert (bench.jobs[-1].state, bench.jobs[-1].value) == ("B", b'"answer"')


@each_subject
@pytest.mark.parametrize(("freeze", "due_ms"), [(True, 36_000), (False, 10_000)])
def test_a_job_s_deadline_stands_still_or_passes(subject: str, freeze: bool, due_ms: int) -> None:
    bench = started()
    bench.at(4000)
    bench.hold(subject, freeze=freeze)
    assert bench.fire(20_000).events == []
    bench.at(30_000)
    bench.lift(subject)
    assert bench.due == due_ms
    bench.fire(max(due_ms, 30_000))
    assert (bench.status, bench.living.error, bench.living.cause) == ("FAILED", "States.Timeout", "no answer within 10 s")


@each_subject
def test_a_retry_whose_pause_ends_under_a_hold_waits_for_the_rest_of_it(subject: str) -> None:
    bench = started()
    bench.at(1000)
    bench.fail("Once")
    bench.at(2000)
    bench.hold(subject)
    assert bench.fire(9000).events == []
    bench.at(10_000)
    bench.lift(subject)
    assert bench.fire(11_999).events == []
    bench.fire(12_000)
    assert [j.attempt for j in bench.jobs] == [1, 2]


@each_subject
def test_a_parallel_with_one_branch_at_the_held_task_stands_as_a_whole(subject: str) -> None:
    bench = started({"A": parallel(task("a"), task("b"))})
    bench.hold(subject)
    bench.complete("y", job=1)
    assert bench.names(1) == ["OutcomeHeld"]
    bench.lift(subject)
    bench.complete("x", job=0)
    assert bench.status == "SUCCEEDED"


@each_subject
def test_a_redrive_under_a_hold_waits_and_its_timers_stand_from_then(subject: str) -> None:
    bench = started(TimeoutSeconds=60)
    bench.at(1000)
    bench.fail()
    bench.at(2000)
    bench.hold(subject)
    bench.at(10_000)
    bench.do(Redrive())
    assert (len(bench.jobs), bench.names(1)) == (1, ["ExecutionPaused"])
    bench.at(30_000)
    bench.lift(subject)
    assert [j.state for j in bench.jobs] == ["A", "A"]
    assert bench.living.due_ms - T0 == 90_000  # 60 s from the redrive, and the 20 s that it stood


@each_subject
def test_a_held_flow_can_be_stopped(subject: str) -> None:
    bench = started()
    bench.hold(subject)
    bench.complete("dropped")
    bench.do(Stop())
    assert (bench.status, bench.living.inbox) == ("ABORTED", [])
    assert bench.lift(subject).events == []


@each_subject
def test_a_flow_s_own_pause_and_a_hold_are_lifted_apart(subject: str) -> None:
    bench = started()
    bench.hold(subject)
    bench.at(1000)
    bench.do(Pause())
    assert pauses(bench)[-1].since_ms == T0, "its timers stood still already"
    bench.complete("answer")
    bench.do(Resume())
    assert bench.root.state == "A"
    bench.do(Pause())
    bench.lift(subject)
    assert bench.root.state == "A"
    bench.do(Resume())
    assert bench.root.state == "B"


@pytest.mark.parametrize("subject", OTHERS)
def test_what_another_subject_holds_goes_on(subject: str) -> None:
    bench = bench_of()
    bench.hold(subject)
    bench.start({"n": 1})
    bench.fail("Once")
    bench.fire(3000)
    assert [j.attempt for j in bench.jobs] == [1, 2]
    assert pauses(bench) == []


@pytest.mark.parametrize("first", EACH)
@pytest.mark.parametrize("second", ["own", *EACH])
def test_time_stands_still_from_the_first_of_overlapping_holds_to_the_last(first: str, second: str) -> None:
    if first == second:
        return
    bench = started()
    bench.at(1000)
    bench.hold(first)
    bench.at(2000)
    bench.do(Pause()) if second == "own" else bench.hold(second)
    bench.at(5000)
    bench.lift(first)
    bench.at(9000)
    bench.do(Resume()) if second == "own" else bench.lift(second)
    assert bench.due == 18_000


@pytest.mark.parametrize("first", EACH)
@pytest.mark.parametrize("second", EACH)
def test_a_hold_within_another_counts_once(first: str, second: str) -> None:
    if first == second:
        return
    bench = started()
    bench.at(1000)
    bench.hold(first)
    bench.at(2000)
    bench.hold(second)
    bench.at(5000)
    bench.lift(second)
    bench.at(9000)
    bench.lift(first)
    assert bench.due == 18_000


@pytest.mark.parametrize("subject", ["blueprint:orders", "group:retail", "task:a"])
def test_a_sign_of_life_under_a_hold_gives_the_whole_silence_after_it(subject: str) -> None:
    bench = started({"A": task("a", TimeoutSeconds=100, HeartbeatSeconds=10)})
    bench.at(4000)
    bench.hold(subject)
    bench.at(5000)
    bench.hold("version:orders@1")
    bench.at(6000)
    bench.lift("version:orders@1")
    bench.at(20_000)
    bench.do(Heartbeat(bench.jobs[0].token))
    bench.at(30_000)
    bench.lift(subject)
    assert bench.due == 40_000
    bench.fire(40_000)
    assert bench.living.cause == "no heartbeat within 10 s"


# -- a flow that comes to a held task


@each_freeze
def test_a_flow_that_comes_to_a_held_task_does_not_enter_its_state(freeze: bool) -> None:
    bench = bench_of(TimeoutSeconds=60)
    bench.hold("task:b", freeze=freeze)
    bench.at(2000)
    bench.start({"n": 1})
    bench.at(5000)
    bench.complete("half-way")
    assert bench.names(3) == ["TaskSucceeded", "TaskStateExited", "ExecutionPaused"]
    assert pauses(bench) == [ExecutionPaused(bench.living.seq, 101, T0 + 5000, False, T0 + 5000 if freeze else 0, "task:b", stood=True)]
    assert (len(bench.jobs), bench.root.state, bench.root.phase) == (1, "B", "entered")
    assert bench.fire(59_000).events == []
    bench.at(25_000)
    bench.lift("task:b")
    assert bench.names(2) == ["TaskStateEntered", "TaskScheduled"]
    assert bench.jobs[-1].value == b'"half-way"'
    assert bench.living.due_ms - T0 == (82_000 if freeze else 62_000)  # it stood 20 s, however old the hold was


def test_states_that_need_no_time_lead_up_to_the_held_task() -> None:
    rule = {"Variable": "$.n", "NumericEquals": 1, "Next": "B"}
    bench = bench_of({"A": {"Type": "Pass", "Next": "C"}, "C": {"Type": "Choice", "Choices": [rule]}, "B": task("b")})
    bench.hold("task:b")
    bench.start({"n": 1})
    assert bench.names(2) == ["ChoiceStateExited", "ExecutionPaused"]
    bench.lift("task:b")
    bench.complete()
    assert bench.status == "SUCCEEDED"


@pytest.mark.parametrize("held", ["task:a", "task:b"])
def test_a_parallel_of_which_one_branch_would_enter_the_held_task_enters_none(held: str) -> None:
    bench = bench_of({"A": parallel(task("a"), task("b"))})
    bench.hold(held)
    bench.start({"n": 1})
    assert bench.names(2) == ["ParallelStateStarted", "ExecutionPaused"]
    bench.lift(held)
    assert [j.state for j in bench.jobs] == ["X", "Y"]


def test_once_a_branch_has_come_to_a_held_task_no_further_timer_fires() -> None:
    nap = {"Type": "Wait", "Seconds": 5, "Next": "X2"}
    branches = [
        {"StartAt": "X", "States": {"X": nap, "X2": task("b")}},
        {"StartAt": "Y", "States": {"Y": {"Type": "Wait", "Seconds": 6, "Next": "Y2"}, "Y2": task("a")}},
    ]
    bench = started({"A": {"Type": "Parallel", "Branches": branches, "End": True}})
    bench.hold("task:b")
    bench.fire(8000)
    assert (bench.names(1), bench.jobs) == (["ExecutionPaused"], [])
    bench.at(20_000)
    bench.lift("task:b")
    assert [j.state for j in bench.jobs] == ["X2"]
    bench.fire(20_000)  # it was due already when time stood still
    assert [j.state for j in bench.jobs] == ["X2", "Y2"]


def test_of_the_answers_kept_those_behind_the_one_that_leads_to_a_held_task_are_kept_again() -> None:
    branches = [{"StartAt": n, "States": {n: task("a", Next=f"{n}2"), f"{n}2": task(t)}} for n, t in (("X", "b"), ("Y", "c"))]
    bench = started({"A": {"Type": "Parallel", "Branches": branches, "End": True}})
    bench.do(Pause())
    bench.complete("x", job=0)
    bench.complete("y", job=1)
    bench.hold("task:b")
    bench.do(Resume())
    assert bench.names(2) == ["ExecutionPaused", "OutcomeHeld"]
    assert len(bench.jobs) == 2
    bench.lift("task:b")
    assert sorted(j.state for j in bench.jobs[2:]) == ["X2", "Y2"]


def test_a_flow_that_left_the_task_before_the_hold_is_none_of_its() -> None:
    bench = started()
    bench.complete("half-way")
    bench.hold("task:a")
    assert bench.complete("done").events != []
    assert (bench.status, pauses(bench)) == ("SUCCEEDED", [])


def test_a_hold_of_a_task_holds_all_its_versions_and_foreign_resources_that_mean_it() -> None:
    arn = "arn:aws:lambda:eu-west-1:1:function:split"
    states = {"A": {"Type": "Task", "Resource": arn, "End": True}}
    program = program_of(states, tasks={"split@7": {"Name": "split"}}, Sfc={"Resources": {arn: "task:split@7"}})
    bench = Bench(program)
    bench.hold("task:split")
    bench.start()
    assert (bench.names(1), bench.jobs) == (["ExecutionPaused"], [])


def test_states_of_topics_and_urls_are_of_no_task() -> None:
    states = {"A": {"Type": "Task", "Resource": "topic:audit", "Next": "B"}, "B": {"Type": "Task", "Resource": "http://x/y", "End": True}}
    program = program_of(states)
    assert (program.task_of, program.group, program.subjects) == ({}, "", ("blueprint:orders", "version:orders@1"))


# -- while a lifted hold's flows are being woken


def test_a_flow_that_comes_to_a_task_whose_flows_are_being_woken_waits_for_its_turn() -> None:
    bench = started(TimeoutSeconds=60)
    bench.at(1000)
    bench.hold("task:b")
    bench.at(9000)
    bench.unhold("task:b")
    bench.at(10_000)
    bench.complete("half-way")
    assert bench.names(1) == ["ExecutionPaused"]
    bench.at(12_000)
    bench.wake()
    assert bench.jobs[-1].state == "B"
    assert shift_of(bench) == 2000


def test_a_flow_before_the_cursor_enters_the_task() -> None:
    bench = started()
    bench.hold("task:b")
    bench.unhold("task:b")
    bench.shard.waking[0].cursor = bench.flow_id
    bench.complete("half-way")
    assert bench.jobs[-1].state == "B"


@each_subject
def test_a_second_hold_while_the_first_one_s_flows_are_being_woken(subject: str) -> None:
    """A flow that the first wake had not reached yet stands from the first hold to the last."""
    bench = started()
    bench.at(1000)
    bench.hold(subject)
    bench.at(3000)
    bench.unhold(subject)
    bench.at(4000)
    bench.hold(subject)
    bench.at(5000)
    bench.wake()
    assert next_due_ms(bench.living) == 0
    bench.complete("answer")
    assert bench.names(1) == ["OutcomeHeld"]
    bench.at(9000)
    bench.unhold(subject)
    bench.wake()
    assert (shift_of(bench), bench.root.state) == (8000, "B")


@each_subject
def test_a_flow_woken_before_the_second_hold_stands_from_that_one_alone(subject: str) -> None:
    bench = started()
    bench.at(1000)
    bench.hold(subject)
    bench.at(3000)
    bench.lift(subject)
    bench.at(4000)
    bench.hold(subject)
    bench.at(9000)
    bench.lift(subject)
    assert bench.due == 17_000
