from __future__ import annotations

from typing import Any

import pytest

from sfc.engine import events as e
from sfc.engine.commands import DispatchFailed, Heartbeat, ReplyTo
from sfc.engine.evolve import kept
from sfc.wire.commands import parse_token
from tests.unit.engine.bench import FLOW, T0, Bench, program_of, task

WAITER = ReplyTo("replies", "gw", "1")


def ended(states: dict[str, Any], given: Any = None, **more: Any) -> Bench:
    """A flow without tasks, run to its end."""
    bench = Bench(program_of(states, **more))
    bench.start(given, wait=WAITER)
    return bench


def choice(variable: str, **fields: Any) -> dict[str, Any]:
    return {"Type": "Choice", "Choices": [{"Variable": variable, "IsPresent": True, "Next": "B"}], **fields}


def test_three_tasks_one_after_another() -> None:
    bench = Bench(program_of({"A": task("a", Next="B"), "B": task("b", Next="C"), "C": task("c")}))
    bench.start({"n": 1}, wait=WAITER)
    bench.complete({"n": 2})
    bench.complete({"n": 3})
    bench.complete({"n": 4})
    assert [(j.state, j.value) for j in bench.jobs] == [("A", b'{"n":1}'), ("B", b'{"n":2}'), ("C", b'{"n":3}')]
    assert bench.status == "SUCCEEDED"
    assert bench.output == {"n": 4}
    assert not kept(bench.living)
    assert bench.names() == [
        "ExecutionStarted",
        *("TaskStateEntered", "TaskScheduled", "TaskSucceeded", "TaskStateExited") * 3,
        "ExecutionSucceeded",
    ]


def test_a_payload_is_written_once() -> None:
    bench = Bench(program_of({"A": task("a", Next="B"), "B": {"Type": "Pass", "End": True}}))
    bench.start({"big": "input"})
    bench.complete({"big": "answer"})
    lines = [repr(event) for event in bench.history]
    assert sum("'input'" in line for line in lines) == 1
    assert sum("'answer'" in line for line in lines) == 1


def test_a_token_names_flow_run_number_and_hash() -> None:
    bench = Bench(program_of({"A": task("a")}))
    bench.start({"n": 1})
    token = parse_token(bench.jobs[0].token)
    assert (token.flow, token.run, token.seq) == (FLOW, 100, 3)
    assert isinstance(bench.history[2], e.TaskScheduled)
    assert len(token.hash) == 8


def test_the_hash_tells_two_inputs_apart() -> None:
    program = program_of({"A": task("a")})
    one, other = Bench(program), Bench(program)
    one.start({"n": 1})
    other.start({"n": 2})
    assert parse_token(one.jobs[0].token).hash != parse_token(other.jobs[0].token).hash


def test_a_job_may_carry_its_own_token() -> None:
    bench = Bench(program_of({"A": task("a", Parameters={"token.$": "$$.Task.Token", "n.$": "$.n"})}))
    bench.start({"n": 1})
    assert bench.jobs[0].value.decode() == f'{{"token":"{bench.jobs[0].token}","n":1}}'
    bench.complete(7)
    assert bench.status == "SUCCEEDED"


def test_only_a_task_sees_how_often_it_was_retried() -> None:
    bench = ended({"A": {"Type": "Pass", "Parameters": {"state.$": "$$.State"}, "End": True}})
    assert bench.output == {"state": {"EnteredTime": "2023-11-14T22:13:20.000Z", "Name": "A"}}


def test_the_context_object_is_that_of_the_flow() -> None:
    bench = Bench(program_of({"A": task("a", Parameters={"ctx.$": "$$"})}))
    bench.start({"n": 1})
    scheduled = bench.history[2]
    assert isinstance(scheduled, e.TaskScheduled)
    context = scheduled.input["ctx"]  # type: ignore[index]
    assert context["Execution"] == {
        "Id": FLOW,
        "Input": {"n": 1},
        "Name": "1",
        "RoleArn": "",
        "StartTime": "2023-11-14T22:13:20.000Z",
        "RedriveCount": 0,
    }
    assert context["State"] == {"EnteredTime": "2023-11-14T22:13:20.000Z", "Name": "A", "RetryCount": 0}
    assert context["StateMachine"] == {"Id": "orders@1", "Name": "orders"}


@pytest.mark.parametrize(
    ("states", "given", "output"),
    [
        ({"A": {"Type": "Pass", "End": True}}, {"x": 1}, {"x": 1}),
        ({"A": {"Type": "Pass", "Result": 5, "ResultPath": "$.y", "End": True}}, {"x": 1}, {"x": 1, "y": 5}),
        ({"A": {"Type": "Succeed", "InputPath": "$.x"}}, {"x": [1, 2]}, [1, 2]),
        ({"A": {"Type": "Wait", "Timestamp": "2001-01-01T00:00:00Z", "End": True}}, {"x": 1}, {"x": 1}),
        (
            {
                "A": {"Type": "Choice", "Choices": [{"Variable": "$.x", "NumericEquals": 1, "Next": "B"}], "Default": "C"},
                "B": {"Type": "Pass", "Result": "one", "End": True},
                "C": {"Type": "Pass", "Result": "other", "End": True},
            },
            {"x": 1},
            "one",
        ),
        ({"A": {"Type": "Pass", "End": True}}, 2**80, 2**80),
    ],
)
def test_states_that_wait_for_nobody(states: dict[str, Any], given: Any, output: Any) -> None:
    bench = ended(states, given)
    assert (bench.replies[-1].status, bench.output) == ("SUCCEEDED", output)


@pytest.mark.parametrize(
    ("states", "error", "cause"),
    [
        ({"A": {"Type": "Fail", "Error": "Unpaid", "Cause": "no money"}}, "Unpaid", "no money"),
        ({"A": {"Type": "Fail"}}, None, None),
        ({"A": {"Type": "Succeed", "InputPath": "$.nothing"}}, "States.Runtime", "$.nothing"),
        ({"A": choice("$.x"), "B": {"Type": "Succeed"}}, "States.Runtime", "next state"),
        (
            {"A": {"Type": "Pass", "Next": "C"}, "C": choice("$.x", Default="A"), "B": {"Type": "Succeed"}},
            "States.Runtime",
            "10000 transitions",
        ),
    ],
)
def test_failures_of_states(states: dict[str, Any], error: str | None, cause: str | None) -> None:
    bench = ended(states, {})
    assert (bench.status, bench.living.error) == ("FAILED", error)
    assert cause is None if bench.living.cause is None else cause is not None and cause in bench.living.cause
    assert (bench.replies[-1].status, bench.replies[-1].error) == ("FAILED", error)
    assert kept(bench.living)


def test_a_wait_ends_when_its_time_has_come() -> None:
    bench = Bench(program_of({"A": {"Type": "Wait", "Seconds": 5, "Next": "B"}, "B": task("b")}))
    bench.start(1)
    assert bench.due == 5000
    assert not bench.fire(4999).events
    bench.fire(5000)
    assert [j.state for j in bench.jobs] == ["B"]


def test_a_topic_state_is_done_when_its_record_is_committed() -> None:
    audit = {"Type": "Task", "Resource": "topic:audit", "Parameters": {"id.$": "$.id"}, "ResultPath": "$.sent", "End": True}
    bench = Bench(program_of({"A": audit}))
    bench.start({"id": 7}, wait=WAITER)
    assert (bench.jobs[0].target.topic, bench.jobs[0].target.exactly_once) == ("audit", True)
    assert bench.complete("meddling").closed
    bench.dispatched()
    assert bench.output == {"id": 7, "sent": {"id": 7}}


def test_a_worker_s_answer_does_not_stand_for_a_task_s_dispatch() -> None:
    bench = Bench(program_of({"A": task("a")}))
    bench.start(1)
    assert bench.dispatched().closed
    assert bench.status == "RUNNING"


def test_one_outcome_per_token_is_taken() -> None:
    bench = Bench(program_of({"A": task("a", Next="B"), "B": task("b")}))
    bench.start(1)
    bench.complete("first")
    late = bench.complete("second", job=0)
    assert (late.closed, late.events) == (True, [])
    assert bench.root.data == "first"


def test_an_answer_for_no_flow_is_closed() -> None:
    bench = Bench(program_of({"A": task("a")}))
    assert bench.do(Heartbeat("orders:1/1/1/x")).closed


def test_a_job_that_its_topic_refuses_is_a_task_error() -> None:
    catch = [{"ErrorEquals": ["SFC.DispatchFailed"], "Next": "B"}]
    bench = Bench(program_of({"A": task("a", Catch=catch), "B": {"Type": "Pass", "End": True}}))
    bench.start(1, wait=WAITER)
    bench.do(DispatchFailed(bench.jobs[0].token, "no such topic"))
    assert bench.output == {"Error": "SFC.DispatchFailed", "Cause": "no such topic"}


@pytest.mark.parametrize("size", [262_142, 262_143])
def test_an_answer_of_over_256_kib_is_an_error_of_its_task(size: int) -> None:
    bench = Bench(program_of({"A": task("a")}))
    bench.start(1, wait=WAITER)
    bench.complete("x" * size)  # and two quotation marks
    assert (bench.status, bench.living.error) == (("SUCCEEDED", None) if size == 262_142 else ("FAILED", "States.DataLimitExceeded"))


def test_a_start_that_is_too_large_fails_visibly() -> None:
    bench = Bench(program_of({"A": task("a")}))
    bench.start("x" * 262_143)
    assert (bench.living.error, bench.jobs) == ("States.DataLimitExceeded", [])


def test_a_flow_of_over_4_mib_fails_and_its_jobs_do_not_leave() -> None:
    branches = [{"StartAt": f"B{n}", "States": {f"B{n}": task("a")}} for n in range(20)]
    bench = Bench(program_of({"A": {"Type": "Parallel", "Branches": branches, "End": True}}))
    bench.start("x" * 250_000)
    assert (bench.living.error, bench.jobs, bench.living.branches) == ("States.DataLimitExceeded", [], {})


def test_long_causes_are_cut() -> None:
    bench = Bench(program_of({"A": task("a")}))
    bench.start(1)
    bench.fail("E" * 1000, "c" * 100_000)
    assert (len(bench.living.error or ""), len(bench.living.cause or "")) == (256, 32_768)


def test_a_stub_stays_where_the_id_was_chosen() -> None:
    bench = Bench(program_of({"A": {"Type": "Pass", "End": True}}))
    bench.start({"x": 1}, keep_id=True)
    assert (bench.living.output, bench.living.branches, kept(bench.living)) == ({"x": 1}, {}, True)
    day = 86_400_000
    assert bench.due == day
    assert not bench.fire(day - 1).events
    bench.fire(day)
    assert bench.flow is None


def test_a_stub_keeps_no_large_output() -> None:
    bench = Bench(program_of({"A": {"Type": "Pass", "End": True}}, Sfc={"Retention": {"Ids": "PT1H"}}))
    bench.start("x" * 5000, wait=WAITER)
    assert (bench.living.output, bench.due, bench.output) == (None, 3_600_000, "x" * 5000)


def test_the_clock_is_the_shard_s() -> None:
    bench = Bench(program_of({"A": task("a")}))
    bench.at(77)
    bench.start(1)
    assert {event.at_ms for event in bench.history} == {T0 + 77}
