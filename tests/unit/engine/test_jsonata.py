"""Flows in JSONata: what each field sees, what fails and how that is told, and that deciding again gives the same.

The bench decides each command twice and compares events, effects and state byte for byte.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from sfc.engine.commands import ReplyTo
from sfc.engine.events import EvaluationFailed, StateExited, TaskScheduled
from tests.unit.engine.bench import T0, Bench, program_of, task

WAITER = ReplyTo("replies", "gw", "1")
END = {"Type": "Pass", "End": True}
QUERY = "States.QueryEvaluationError"


def started(given: Any = None, **states: Any) -> Bench:
    bench = Bench(program_of(states, next(iter(states)), QueryLanguage="JSONata"))
    bench.start(given, wait=WAITER)
    return bench


def said(expression: str, field: str, what: str, state: str = "A") -> str:
    place = f"An error occurred while executing the state '{state}' (entered at the event id #2)."
    return f"{place} The JSONata expression '{expression}' specified for the field '{field}' {what}"


def test_a_task_takes_its_arguments_and_makes_output_and_variables_of_its_result() -> None:
    bench = started(
        {"n": 2},
        A=task(
            Arguments={"double": "{% $states.input.n * 2 %}", "token": "{% $states.context.Task.Token %}"},
            Output={"in": "{% $states.input %}", "out": "{% $states.result.x + 1 %}", "try": "{% $states.context.State.RetryCount %}"},
            Assign={"x": "{% $states.result.x %}"},
            Next="B",
        ),
        B={**END, "Output": ["{% $states.input.out %}", "{% $x %}"]},
    )
    job = bench.jobs[0]
    assert json.loads(job.value) == {"double": 4, "token": job.token}
    bench.complete({"x": 10})
    left = next(event for event in bench.history if isinstance(event, StateExited))
    assert left.output == {"in": {"n": 2}, "out": 11, "try": 0}
    assert bench.output == [11, 10]


def test_without_output_a_state_gives_its_result_or_its_input() -> None:
    bench = started({"n": 2}, A=task(Next="B"), B=END)
    assert bench.jobs[0].value == b'{"n":2}'
    bench.complete({"r": 1})
    assert bench.output == {"r": 1}


@pytest.mark.parametrize("kind", ["Pass", "Wait", "Choice", "Succeed"])
def test_the_states_of_an_expression_hold_a_result_only_where_there_is_one(kind: str) -> None:
    more: dict[str, dict[str, Any]] = {
        "Pass": {"Next": "B"},
        "Wait": {"Seconds": 0, "Next": "B"},
        "Choice": {"Choices": [{"Condition": False, "Next": "B"}], "Default": "B"},
        "Succeed": {},
    }
    states = {"A": {"Type": kind, "Output": "{% $keys($states) %}", **more[kind]}}
    bench = started({"n": 2}, **states if kind == "Succeed" else {**states, "B": {"Type": "Succeed"}})
    assert bench.output == ["input", "context"]


def test_a_task_s_states_hold_its_result() -> None:
    bench = started({"n": 2}, A=task(Output="{% $keys($states) %}"))
    bench.complete({"r": 1})
    assert sorted(bench.output) == ["context", "input", "result"]


def test_whole_places_are_told_once() -> None:
    bench = started({"n": 2}, A=task(Arguments="{% $states.input %}", Output="{% $states.result %}"))
    scheduled = next(event for event in bench.history if isinstance(event, TaskScheduled))
    bench.complete({"r": 1})
    left = next(event for event in bench.history if isinstance(event, StateExited))
    assert (scheduled.input, left.output) == (msgspec.UNSET, msgspec.UNSET)


def test_a_choice_by_conditions() -> None:
    rules = [
        {"Condition": "{% $states.input.n > 10 %}", "Next": "Z", "Output": "big", "Assign": {"size": "big"}},
        {"Condition": "{% $states.input.n > 5 %}", "Next": "Z"},
        {"Condition": False, "Next": "Z"},
    ]
    choice = {"Type": "Choice", "Choices": rules, "Default": "Z", "Output": "{% 'small' %}", "Assign": {"size": "small"}}
    end = {**END, "Output": {"in": "{% $states.input %}", "size": "{% $exists($size) ? $size : null %}"}}
    assert started({"n": 11}, A=choice, Z=end).output == {"in": "big", "size": "big"}
    assert started({"n": 6}, A=choice, Z=end).output == {"in": {"n": 6}, "size": None}
    assert started({"n": 1}, A=choice, Z=end).output == {"in": "small", "size": "small"}


def test_a_condition_that_is_no_truth_value_fails() -> None:
    choice = {"Type": "Choice", "Choices": [{"Condition": "{% $states.input.n %}", "Next": "Z"}], "Default": "Z"}
    bench = started({"n": "x"}, A=choice, Z=END)
    what = "returned an unexpected result type. Expected 'boolean', but was 'string' for value: \"x\""
    assert (bench.living.error, bench.living.cause) == (QUERY, said("$states.input.n", "Choices[0]/Condition", what))


@pytest.mark.parametrize(
    ("fields", "due"),
    [
        ({"Seconds": "{% $states.input.s %}"}, 3000),
        ({"Timestamp": "{% $states.input.t %}"}, 2000),
        ({"Timestamp": "{% $fromMillis($millis() + 500) %}"}, 500),
    ],
)
def test_a_wait_by_an_expression(fields: dict[str, Any], due: int) -> None:
    bench = started({"s": 3, "t": "2023-11-14T22:13:22Z"}, A={"Type": "Wait", "Next": "Z", "Output": "{% $now() %}", **fields}, Z=END)
    assert bench.due == due
    bench.fire(due)
    assert bench.status == "SUCCEEDED"
    assert str(bench.output).startswith("2023-11-14T22:13:2")


@pytest.mark.parametrize(
    ("fields", "location", "cause"),
    [
        ({"Timestamp": "{% '2016-12-05T21:29:29' %}"}, "Timestamp",
         "An error occurred while executing the state 'A' (entered at the event id #2). The Timestamp field cannot be parsed as an "
         "ISO-8601 extended offset date-time format string: 2016-12-05T21:29:29"),
        ({"Seconds": "{% -1 %}"}, "Seconds",
         said("-1", "Seconds", "returned an unexpected result type. Expected 'integer', but was 'number' for value: -1")),
        ({"Seconds": "{% 'x' %}"}, "Seconds",
         said("'x'", "Seconds", "returned an unexpected result type. Expected 'integer', but was 'string' for value: \"x\"")),
    ],
)  # fmt: skip
def test_a_wait_that_can_not_be_told_fails(fields: dict[str, Any], location: str, cause: str) -> None:
    bench = started(None, A={"Type": "Wait", "Next": "Z", **fields}, Z=END)
    failed = [event for event in bench.history if isinstance(event, EvaluationFailed)]
    assert [(event.state, event.location, event.error, event.cause) for event in failed] == [("A", location, QUERY, cause)]
    assert (bench.living.error, bench.living.cause) == (QUERY, cause)


def test_a_fail_state_by_expressions() -> None:
    bench = started({"e": "Gone", "c": 5}, A={"Type": "Fail", "Error": "{% $states.input.e %}", "Cause": "{% $string($states.input.c) %}"})
    assert (bench.living.error, bench.living.cause) == ("Gone", "5")
    bench = started({"c": 5}, A={"Type": "Fail", "Error": "Gone", "Cause": "{% $states.input.c %}"})
    assert bench.living.error == QUERY


def test_a_succeed_state_may_have_an_output() -> None:
    assert started({"n": 1}, A={"Type": "Succeed", "Output": {"m": "{% $states.input.n %}"}}).output == {"m": 1}


def test_a_failing_evaluation_is_told_before_the_flow_s_end() -> None:
    bench = started(None, A={**END, "Output": {"result": "{% $doesNotExist %}"}})
    assert bench.names() == ["ExecutionStarted", "PassStateEntered", "EvaluationFailed", "ExecutionFailed"]
    assert bench.living.cause == said("$doesNotExist", "Output/result", "returned nothing (undefined).")
    bench = started(None, A={**END, "Assign": {"result": "{% $doesNotExist %}"}})
    assert bench.living.cause == said("$doesNotExist", "Assign/result", "returned nothing (undefined).")


def test_a_failing_evaluation_in_a_branch_is_told_once() -> None:
    inner = {"StartAt": "B", "States": {"B": {**END, "Output": "{% $no %}"}}}
    bench = started(None, A={"Type": "Parallel", "Branches": [inner], "End": True})
    assert bench.names(3) == ["EvaluationFailed", "ParallelStateFailed", "ExecutionFailed"]
    assert (bench.names().count("EvaluationFailed"), bench.living.error) == (1, QUERY)


def test_a_failing_evaluation_can_be_retried_and_caught() -> None:
    catch = [
        {"ErrorEquals": [QUERY], "Next": "Z", "Output": "{% $states.errorOutput.Error & '!' %}", "Assign": {"in": "{% $states.input %}"}}
    ]
    retry = [{"ErrorEquals": [QUERY], "MaxAttempts": 1}]
    bench = started(
        {"n": 1}, A=task(Arguments="{% $states.input.no %}", Retry=retry, Catch=catch), Z={**END, "Output": "{% [$states.input, $in.n] %}"}
    )
    assert bench.names(2) == ["EvaluationFailed", "RetryScheduled"]
    bench.fire(1000)
    assert bench.status == "SUCCEEDED"
    assert bench.output == [f"{QUERY}!", 1]


def test_a_catcher_whose_own_output_fails_fails_the_flow() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Z", "Output": "{% $states.errorOutput.No %}"}]
    bench = started({"n": 1}, A=task(Catch=catch), Z=END)
    bench.fail()
    assert bench.names(3) == ["TaskFailed", "EvaluationFailed", "ExecutionFailed"]
    assert bench.living.cause == said("$states.errorOutput.No", "Catch[0]/Output", "returned nothing (undefined).")


def test_a_catcher_without_output_gives_the_error_output() -> None:
    bench = started({"n": 1}, A=task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Z"}]), Z=END)
    bench.fail("Broken", "it broke")
    assert bench.output == {"Error": "Broken", "Cause": "it broke"}


def test_a_parallel_hands_its_arguments_to_its_branches() -> None:
    def inner(name: str) -> dict[str, Any]:
        return {"StartAt": name, "States": {name: {**END, "Output": "{% $states.input.n + $base %}"}}}

    bench = started(
        {"n": 1},
        A={"Type": "Pass", "Assign": {"base": 10}, "Next": "P"},
        P={"Type": "Parallel", "Arguments": {"n": "{% $states.input.n + 1 %}"}, "Branches": [inner("L"), inner("R")],
           "Output": "{% $sum($states.result) %}", "End": True},
    )  # fmt: skip
    assert bench.output == 24


def test_timeouts_by_expressions() -> None:
    bench = started({"t": 30}, A=task(TimeoutSeconds="{% $states.input.t %}", HeartbeatSeconds="{% $states.input.t / 3 %}"))
    scheduled = next(event for event in bench.history if isinstance(event, TaskScheduled))
    assert (scheduled.due_ms - T0, scheduled.heartbeat_ms) == (30_000, 10_000)
    bench = started({"t": 0}, A=task(TimeoutSeconds="{% $states.input.t %}"))
    assert bench.living.error == QUERY


def test_chance_in_arguments_is_drawn_anew_for_each_attempt_and_stays_when_decided_again() -> None:
    retry = [{"ErrorEquals": ["States.ALL"]}]
    bench = started(None, A=task(Arguments={"id": "{% $uuid() %}", "token": "{% $states.context.Task.Token %}"}, Retry=retry))
    bench.fail()
    bench.fire(1000)
    first, second = (json.loads(job.value) for job in bench.jobs)
    assert first["id"] != second["id"]
    assert [first["token"], second["token"]] == [job.token for job in bench.jobs]


def test_chance_differs_between_the_fields_of_one_state() -> None:
    bench = started(None, A={**END, "Output": "{% $uuid() %}", "Assign": {"a": "{% $uuid() %}"}})
    left = next(event for event in bench.history if isinstance(event, StateExited))
    assert isinstance(left.assigned, dict)
    assert left.assigned["a"] != left.output


def test_what_a_topic_gets_is_the_result_however_much_time_has_passed() -> None:
    state = {"Type": "Task", "Resource": "topic:audit", "End": True}
    for document in (
        {**state, "QueryLanguage": "JSONata", "Arguments": {"id": "{% $uuid() %}", "at": "{% $now() %}"}},
        {**state, "Parameters": {"id.$": "States.UUID()", "n.$": "States.MathRandom(1, 1000000)"}},
    ):
        bench = Bench(program_of({"A": document}))
        bench.start(None, wait=WAITER)
        bench.at(5000)
        bench.dispatched()
        assert bench.output == json.loads(bench.jobs[0].value)


def test_credentials_are_named_in_the_job() -> None:
    bench = started({"role": "billing"}, A=task(Credentials={"RoleArn": "{% $states.input.role %}"}))
    assert bench.jobs[0].credentials == "billing"
    bench = Bench(program_of({"A": task(Credentials={"RoleArn.$": "$.role"})}))
    bench.start({"role": 5})
    assert (bench.jobs, bench.living.error) == ([], "States.Runtime")


def test_values_pass_from_one_language_to_the_other() -> None:
    mixed = Bench(
        program_of(
            {
                "A": {"Type": "Pass", "Assign": {"n.$": "$.n"}, "Next": "B"},
                "B": {"Type": "Pass", "QueryLanguage": "JSONata", "Assign": {"m": "{% $n + 1 %}"}, "Next": "C"},
                "C": {**END, "Parameters": {"m.$": "$m"}},
            }
        )
    )
    mixed.start({"n": 1}, wait=WAITER)
    assert mixed.output == {"m": 2}


def mapping(**fields: Any) -> dict[str, Any]:
    inner = {"StartAt": "I", "States": {"I": {**END, "Output": "{% $states.input %}"}}}
    return {"Type": "Map", "ItemProcessor": inner, "End": True, **fields}


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({"Items": [1, "{% $states.input.n %}"]}, [1, 5]),
        ({"Items": "{% [1..$states.input.n] %}", "MaxConcurrency": "{% $states.input.n - 4 %}"}, [1, 2, 3, 4, 5]),
        ({"Items": ["a", "b"], "ItemSelector": {"at": "{% $states.context.Map.Item.Index %}", "n": "{% $states.input.n %}"}},
         [{"at": 0, "n": 5}, {"at": 1, "n": 5}]),
        ({"Items": [1, 2], "Output": "{% $sum($states.result) %}"}, 3),
    ],
)  # fmt: skip
def test_a_map_over_items_of_an_expression(fields: dict[str, Any], output: Any) -> None:
    assert started({"n": 5}, A=mapping(**fields)).output == output


@pytest.mark.parametrize(
    ("items", "what"),
    [
        ("{% 1 %}", "returned an unexpected result type. Expected 'array', but was 'number' for value: 1"),
        ("{% {'foo': 'bar'} %}", "returned an unexpected result type. Expected 'array', but was 'object' for value: {\"foo\":\"bar\"}"),
        ("{% null %}", "returned an unexpected result type. Expected 'array', but was 'null' for value: null"),
        ("{% $fn := function($x){$x} %}", "returned an unsupported result type."),
    ],
)
def test_items_that_are_no_list_fail_the_map(items: str, what: str) -> None:
    bench = started({}, A=mapping(Items=items))
    assert (bench.living.error, bench.living.cause) == (QUERY, said(items[3:-3], "Items", what))
    assert bench.names()[1:3] == ["MapStateEntered", "EvaluationFailed"]


def test_without_items_the_input_has_to_be_a_list() -> None:
    assert started([1, 2], A=mapping()).output == [1, 2]
    bench = started({"a": 1}, A=mapping())
    assert bench.living.error == QUERY
    assert "Map state input must be an array but was: " in str(bench.living.cause)


def test_iterations_read_the_variables_around_them_and_keep_theirs() -> None:
    states = {
        "I": {"Type": "Pass", "Assign": {"mine": "{% $states.input * $factor %}"}, "Next": "J"},
        "J": {**END, "Output": "{% $mine %}"},
    }
    bench = started(
        [1, 2, 3],
        A={"Type": "Pass", "Assign": {"factor": 10}, "Next": "M"},
        M={"Type": "Map", "ItemProcessor": {"StartAt": "I", "States": states}, "Next": "Z"},
        Z={**END, "Output": {"all": "{% $states.input %}", "mine": "{% $exists($mine) %}"}},
    )
    assert bench.output == {"all": [10, 20, 30], "mine": False}
