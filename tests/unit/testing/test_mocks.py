from __future__ import annotations

from typing import Any

import pytest
from sfc_workers import TaskError

from sfc.errors import BadInput
from sfc.testing import Outcome, TaskFailed, run
from tests.unit.testing.machines import machine, task

DEEP: Any = []
for _ in range(300):
    DEEP = [DEEP]


def answered(mock: Any, given: Any = None, **fields: Any) -> Outcome:
    """A flow of one Task state."""
    return run(machine({"A": task(**fields)}), given, mocks={"A": mock})


def retried(mock: Any, attempts: int = 3) -> Outcome:
    return answered(mock, Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": attempts, "IntervalSeconds": 1, "BackoffRate": 2}])


def test_answers_are_given_in_order_and_the_last_repeats() -> None:
    outcome = retried([{"throw": {"error": "One"}}, {"throw": {"error": "Two", "cause": "again"}}])
    errors = [(e.get("error"), e.get("cause")) for e in outcome.history if e["type"] == "TaskFailed"]
    assert errors == [("One", None), *[("Two", "again")] * 3]
    assert (outcome.status, outcome.error, outcome.cause, outcome.seconds) == ("FAILED", "Two", "again", 1 + 2 + 4)


def test_each_state_has_its_own_answers() -> None:
    states = {"A": task(Next="B"), "B": task()}
    assert run(machine(states), mocks={"A": {"return": 1}, "B": [lambda given: given + 1]}).output == 2


def test_a_function_gets_the_effective_input() -> None:
    assert answered(sorted, {"b": 1}, Parameters={"c": 2, "b.$": "$.b"}).output == ["b", "c"]


@pytest.mark.parametrize(
    ("raised", "error", "cause"),
    [
        (TaskFailed("Busy", "later"), "Busy", "later"),
        (TaskFailed(), None, None),
        (TaskError("Busy", "later"), "Busy", "later"),
        (KeyError("x"), "KeyError", "'x'"),
    ],
)
def test_what_a_function_raises_is_the_tasks_error(raised: Exception, error: str | None, cause: str | None) -> None:
    def service(given: Any) -> Any:
        raise raised

    outcome = answered(service)
    assert (outcome.status, outcome.error, outcome.cause) == ("FAILED", error, cause)


def test_an_assertion_in_a_function_is_the_tests_own() -> None:
    def service(given: Any) -> Any:
        assert given == {"n": 2}, "the wrong input"

    with pytest.raises(AssertionError, match="the wrong input"):
        answered(service, {"n": 1})


def test_a_task_without_an_answer_times_out() -> None:
    outcome = answered({"never": True}, TimeoutSeconds=90)
    assert (outcome.error, outcome.seconds) == ("States.Timeout", 90)


def test_an_answer_may_come_late_and_too_late() -> None:
    assert answered({"return": 1, "delay": 89.5}, TimeoutSeconds=90).seconds == 89.5
    assert answered({"return": 1, "delay": 91}, TimeoutSeconds=90).error == "States.Timeout"


def test_an_answer_that_is_too_late_is_not_taken_for_the_next_attempts() -> None:
    outcome = run(
        machine({"A": task(TimeoutSeconds=10, Retry=[{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1}])}),
        mocks={"A": [{"return": "late", "delay": 15}, {"return": "in time", "delay": 9}]},
    )
    assert (outcome.output, outcome.seconds) == ("in time", 10 + 1 + 9)


def test_signs_of_life_keep_a_task_going_until_its_deadline() -> None:
    fields = {"TimeoutSeconds": 60, "HeartbeatSeconds": 10}
    assert answered({"never": True}, **fields).seconds == 10
    assert answered({"return": 1, "delay": 30}, **fields).error == "States.Timeout"
    kept = answered({"return": 1, "delay": 30, "heartbeat": 7}, **fields)
    assert (kept.status, kept.seconds) == ("SUCCEEDED", 30)
    assert [e["time"][17:19] for e in kept.history if e["type"] == "TaskHeartbeat"] == ["07", "14", "21", "28"]
    assert answered({"never": True, "heartbeat": 7}, **fields).seconds == 60


def test_a_late_branch_is_joined_in_order() -> None:
    branches = [{"StartAt": name, "States": {name: task()}} for name in ("Slow", "Quick")]
    outcome = run(
        machine({"A": {"Type": "Parallel", "Branches": branches, "End": True}}),
        mocks={"Slow": {"return": "slow", "delay": 5}, "Quick": {"return": "quick", "delay": 1}},
    )
    assert outcome.output == ["slow", "quick"]
    assert outcome.path == ["A", "Slow", "Quick"]
    assert [e["state"] for e in outcome.history if e["type"] == "TaskStateExited"] == ["Quick", "Slow"]


def test_an_answer_that_is_nested_too_deeply_fails_its_attempt_as_on_the_wire() -> None:
    outcome = answered({"return": DEEP})
    assert outcome.error == "States.Runtime"
    assert "nested deeper" in str(outcome.cause)


def test_an_answer_that_is_too_large_fails_its_attempt() -> None:
    assert answered({"return": "x" * 262_145}).error == "States.DataLimitExceeded"


def test_a_mock_is_not_changed_by_what_the_flow_makes_of_it() -> None:
    given = {"n": [1]}
    outcome = run(
        machine({"A": task(ResultPath="$.r", Next="B"), "B": task(ResultPath="$.r.s")}), {}, mocks={s: {"return": given} for s in "AB"}
    )
    assert outcome.output == {"r": {"n": [1], "s": {"n": [1]}}}
    assert given == {"n": [1]}


@pytest.mark.parametrize(
    ("mocks", "said"),
    [
        ({"a": {"return": 1}}, "mocks name the state 'a', which is not there. Did you mean 'A'?"),
        ({"B": {"return": 1}}, "'B', which is a Pass state: only Task states, and Maps"),
        ({"A": []}, "the list of mocks of state 'A' is empty"),
        ({"A": 5}, "mock 1 of state 'A' is 5"),
        ({"A": "x"}, "mock 1 of state 'A' is 'x'"),
        ({"A": [{"return": 1}, {"retrun": 1}]}, "mock 2 of state 'A' has the field 'retrun'. Did you mean 'return'?"),
        ({"A": {}}, "has none of return, throw and never: one was expected"),
        ({"A": {"return": 1, "throw": {}}}, "has return and throw: one was expected"),
        ({"A": {"return": 1, "delay": "5"}}, "delay is a number of seconds, this is '5'"),
        ({"A": {"return": 1, "delay": -1}}, "delay is a number of seconds, this is -1"),
        ({"A": {"return": 1, "heartbeat": True}}, "heartbeat is a number of seconds, this is True"),
        ({"A": {"never": False}}, "never is true or left out"),
        ({"A": {"throw": "Busy"}}, "throw is an object with error and cause, this is 'Busy'"),
        ({"A": {"throw": {"name": "Busy"}}}, "throw is an object with error and cause"),
        ({"A": {"throw": {"error": 5}}}, "the error is a text or null, this is 5"),
        ({"A": {"return": object()}}, "mock 1 of state 'A' is no JSON value"),
        ({"A": lambda given: object()}, "what mock 1 of state 'A' returns is no JSON value"),
        ([], "mocks are an object of Task states' names"),
    ],
)
def test_what_is_no_mock_is_refused(mocks: Any, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        run(machine({"A": task(Next="B"), "B": {"Type": "Pass", "End": True}}), mocks=mocks)
    assert said in caught.value.message
