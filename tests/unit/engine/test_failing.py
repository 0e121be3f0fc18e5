"""Retry, Catch, timeouts."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.engine.commands import Fire, Heartbeat, ReplyTo
from sfc.engine.events import ParallelFailed, TaskTimedOut
from tests.unit.engine.bench import T0, Bench, program_of, task

WAITER = ReplyTo("replies", "gw", "1")
DONE = {"Type": "Pass", "End": True}


def test_a_retry_waits_by_its_policy_and_then_gives_up() -> None:
    retry = [{"ErrorEquals": ["Broken"], "IntervalSeconds": 2, "BackoffRate": 3, "MaxAttempts": 2}]
    bench = Bench(program_of({"A": task("a", Retry=retry)}))
    bench.start({"n": 1})
    bench.fail()
    assert bench.due == 2000
    assert not bench.fire(1999).events
    bench.fire(2000)
    bench.fail()
    assert bench.due == 8000
    bench.fire(8000)
    bench.fail("Broken", "for the last time")
    assert (bench.status, bench.living.cause) == ("FAILED", "for the last time")
    assert [j.attempt for j in bench.jobs] == [1, 2, 3]
    assert len({j.token for j in bench.jobs}) == 3
    assert bench.names().count("TaskStateEntered") == 1


def test_each_retrier_counts_for_itself_and_leaving_resets() -> None:
    retry = [
        {"ErrorEquals": ["One"], "IntervalSeconds": 1, "MaxAttempts": 1},
        {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 9, "MaxAttempts": 1},
    ]
    again = {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 1, "Next": "A"}], "Default": "Z"}
    bench = Bench(program_of({"A": task("a", Retry=retry, Next="C"), "C": again, "Z": DONE}))
    bench.start(0)
    bench.fail("Other")
    assert bench.root.retries == [0, 1]
    bench.fire(9000)
    bench.fail("One")
    assert bench.root.retries == [1, 1]
    bench.fire(10_000)
    bench.complete(1)
    assert (bench.root.retries, bench.root.phase, bench.jobs[-1].attempt) == ([], "job", 1)


def test_the_task_s_own_retriers_serve_where_the_state_has_none() -> None:
    tasks = {"a@1": {"Name": "a", "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 3, "MaxAttempts": 1}]}}
    bench = Bench(program_of({"A": task("a")}, tasks=tasks))
    bench.start(1)
    bench.fail()
    assert bench.due == 3000


def test_jitter_is_drawn_from_the_flow_s_own_place() -> None:
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1000, "JitterStrategy": "FULL", "MaxAttempts": 5}]
    program = program_of({"A": task("a", Retry=retry)})
    dues = []
    for name in ("orders:1", "orders:2"):
        bench = Bench(program, name)
        bench.start(1)
        bench.fail()
        dues.append(bench.due)
    assert all(0 < due < 1_000_000 for due in dues)
    assert dues[0] != dues[1]


@pytest.mark.parametrize(
    ("catcher", "error", "output"),
    [
        ({"ErrorEquals": ["Broken"]}, "Broken", {"Error": "Broken", "Cause": "it broke"}),
        ({"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.why"}, "X", {"n": 1, "why": {"Error": "X", "Cause": "it broke"}}),
        ({"ErrorEquals": ["States.ALL"]}, None, {"Error": None, "Cause": "it broke"}),
    ],
)
def test_a_catcher_goes_on_with_the_error(catcher: dict[str, Any], error: str | None, output: Any) -> None:
    bench = Bench(program_of({"A": task("a", Catch=[{**catcher, "Next": "B"}]), "B": DONE}))
    bench.start({"n": 1}, wait=WAITER)
    bench.fail(error)
    assert (bench.status, bench.output) == ("SUCCEEDED", output)


def test_an_error_that_nothing_takes_fails_the_flow() -> None:
    bench = Bench(program_of({"A": task("a", Catch=[{"ErrorEquals": ["Other"], "Next": "B"}]), "B": DONE}))
    bench.start(1)
    bench.fail()
    assert (bench.status, bench.root.phase, bench.root.data) == ("FAILED", "failed", 1)


def test_a_failing_output_path_is_not_caught() -> None:
    catch = [{"ErrorEquals": ["States.Runtime"], "Next": "B"}]
    bench = Bench(program_of({"A": task("a", OutputPath="$.no", Catch=catch), "B": DONE}))
    bench.start({"n": 1})
    bench.complete({"yes": 1})
    assert (bench.status, bench.living.error) == ("FAILED", "States.Runtime")
    assert bench.root.data == {"n": 1}  # for a redrive
    assert "'A' (entered at the event id #2)" in (bench.living.cause or "")


@pytest.mark.parametrize(
    ("fields", "defaults", "due_ms"),
    [
        ({"TimeoutSeconds": 30}, {"TimeoutSeconds": 60}, 30_000),
        ({}, {"TimeoutSeconds": 60}, 60_000),
        ({"TimeoutSecondsPath": "$.t"}, {}, 12_000),
        ({}, {}, 7 * 86_400_000),
        ({"TimeoutSeconds": 30, "HeartbeatSeconds": 10}, {}, 10_000),
        ({"TimeoutSeconds": 30}, {"HeartbeatSeconds": 5}, 5_000),
    ],
)
def test_a_job_without_answer_times_out(fields: dict[str, Any], defaults: dict[str, Any], due_ms: int) -> None:
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "B"}]
    bench = Bench(program_of({"A": task("a", Catch=catch, **fields), "B": DONE}, tasks={"a@1": {"Name": "a", **defaults}}))
    bench.start({"t": 12}, wait=WAITER)
    assert bench.due == due_ms
    assert not bench.fire(due_ms - 1).events
    bench.fire(due_ms)
    assert (bench.status, bench.output) == ("SUCCEEDED", {"Error": "States.Timeout", "Cause": ""})
    assert bench.complete("late").closed


@pytest.mark.parametrize(
    ("fields", "said"), [({"TimeoutSeconds": 30}, "no answer within 30 s"), ({"HeartbeatSeconds": 9}, "no heartbeat within 9 s")]
)
@pytest.mark.parametrize("caught", [True, False])
def test_a_timeout_says_what_was_awaited_but_not_to_who_catches_it(fields: dict[str, Any], said: str, caught: bool) -> None:
    branches = [{"StartAt": "A", "States": {"A": task("a", **fields)}}]
    catch = {"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}]} if caught else {}
    bench = Bench(program_of({"P": {"Type": "Parallel", "Branches": branches, "Next": "B", **catch}, "B": DONE}, "P"))
    bench.start({}, wait=WAITER, keep_id=True)
    bench.fire(30_000)
    assert [event.cause for event in bench.history if isinstance(event, TaskTimedOut | ParallelFailed)] == [said, said]
    if caught:
        assert bench.output == {"Error": "States.Timeout", "Cause": ""}
    else:
        assert (bench.living.error, bench.living.cause, bench.replies[-1].cause) == ("States.Timeout", said, said)


def test_task_failed_does_not_take_a_timeout() -> None:
    catch = [{"ErrorEquals": ["States.TaskFailed"], "Next": "B"}]
    bench = Bench(program_of({"A": task("a", TimeoutSeconds=1, Catch=catch), "B": DONE}))
    bench.start(1)
    bench.fire(1000)
    assert (bench.status, bench.living.error) == ("FAILED", "States.Timeout")


def test_signs_of_life_put_the_silence_off() -> None:
    bench = Bench(program_of({"A": task("a", TimeoutSeconds=100, HeartbeatSeconds=10)}))
    bench.start(1)
    bench.at(8000)
    bench.do(Heartbeat(bench.jobs[0].token))
    assert bench.due == 18_000
    bench.fire(10_000)
    assert bench.status == "RUNNING"
    bench.fire(18_000)
    assert (bench.status, bench.living.error) == ("FAILED", "States.Timeout")


def test_a_sign_of_life_without_heartbeats_says_nothing() -> None:
    bench = Bench(program_of({"A": task("a")}))
    bench.start(1)
    decision = bench.do(Heartbeat(bench.jobs[0].token))
    assert (decision.events, decision.closed) == ([], False)


def test_an_answer_before_the_tick_counts_even_past_the_deadline() -> None:
    bench = Bench(program_of({"A": task("a", TimeoutSeconds=1)}))
    bench.start(1)
    bench.at(5000)
    bench.complete(2)
    assert bench.status == "SUCCEEDED"


def test_the_machine_s_own_timeout() -> None:
    bench = Bench(program_of({"A": task("a", TimeoutSeconds=10)}, TimeoutSeconds=10))
    bench.start(1, wait=WAITER)
    bench.fire(10_000)
    assert (bench.status, bench.living.error, bench.living.cause) == ("TIMED_OUT", None, None)
    assert bench.replies[-1].status == "TIMED_OUT"
    assert bench.root.phase == "stopped"


def test_a_failed_flow_is_kept_for_its_time() -> None:
    bench = Bench(program_of({"A": task("a")}, Sfc={"Retention": {"Failed": "P1DT1H"}}))
    bench.start(1)
    bench.fail()
    assert bench.due == 25 * 3_600_000
    bench.fire(25 * 3_600_000)
    assert bench.flow is None
    assert bench.names(1) == ["ExecutionForgotten"]


def test_what_is_due_fires_in_order_and_only_up_to_the_tick_s_time() -> None:
    branches = [{"StartAt": f"W{n}", "States": {f"W{n}": {"Type": "Wait", "Seconds": n, "End": True}}} for n in (3, 1, 2)]
    bench = Bench(program_of({"A": {"Type": "Parallel", "Branches": branches, "End": True}}))
    bench.start(1)
    bench.at(9000)
    bench.do(Fire(T0 + 2000))
    exits = [event.state for event in bench.history if type(event).__name__ == "StateExited"]  # type: ignore[union-attr]
    assert exits == ["W1", "W2"]
    bench.fire(9000)
    assert bench.status == "SUCCEEDED"
