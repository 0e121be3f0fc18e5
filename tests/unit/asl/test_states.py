"""What each state makes of its input and its result, with the texts that Step Functions gives."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.asl import (
    Context,
    FailState,
    Failure,
    ParallelState,
    PassState,
    State,
    SucceedState,
    TaskState,
    WaitState,
    compile_machine,
)

RAW: dict[str, Any] = {"order": {"id": 7, "lines": [1, 2]}, "text": "x"}
CONTEXT = Context({"Execution": {"Id": "flow"}, "State": {"Name": "A"}})
NOW_MS = 1_767_268_800_000  # 2026-01-01T12:00:00Z


def state(kind: str, **fields: Any) -> State:
    moves = {} if kind in ("Succeed", "Fail", "Choice") else {"End": True}
    resource = {"Resource": "task:a"} if kind == "Task" else {}
    return compile_machine({"StartAt": "A", "States": {"A": {"Type": kind, **moves, **resource, **fields}}}).states["A"]


@pytest.mark.parametrize("kind", ["Task", "Pass", "Succeed"])
def test_without_fields_the_very_objects_pass_through(kind: str) -> None:
    plain, result = state(kind), {"r": 1}
    assert plain.effective_input(RAW, CONTEXT) is RAW
    assert plain.output(RAW, result, CONTEXT) is result


@pytest.mark.parametrize(
    ("fields", "effective"),
    [
        ({"InputPath": "$.order.id"}, 7),
        ({"InputPath": None}, {}),
        ({"InputPath": "$$.Execution"}, {"Id": "flow"}),
        ({"InputPath": "$.order.lines[*]"}, [1, 2]),
        ({"Parameters": {"fixed": {"a": [1]}, "id.$": "$.order.id"}}, {"fixed": {"a": [1]}, "id": 7}),
        ({"Parameters": {"deep": [{"id.$": "$.id"}, 2]}, "InputPath": "$.order"}, {"deep": [{"id": 7}, 2]}),
        ({"Parameters": {"flow.$": "$$.Execution.Id", "all.$": "$.order.lines[:1]"}}, {"flow": "flow", "all": [1]}),
        ({"Parameters": {"hello.$": "States.Format('{}-{}', $.text, $.order.id)"}}, {"hello": "x-7"}),
        ({"Parameters": ["abc"]}, ["abc"]),
        ({"InputPath": None, "Parameters": {"whole.$": "$"}}, {"whole": {}}),
    ],
)
def test_input_path_and_parameters_make_the_effective_input(fields: dict[str, Any], effective: Any) -> None:
    assert state("Task", **fields).effective_input(RAW, CONTEXT) == effective


def test_fields_of_a_template_keep_the_documents_order() -> None:
    made: Any = state("Task", Parameters={"b.$": "$.text", "a": 1, "c.$": "$.text"}).effective_input(RAW, CONTEXT)
    assert list(made) == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({"ResultPath": None}, RAW),
        ({"ResultPath": "$.result"}, {**RAW, "result": {"r": 1}}),
        ({"ResultPath": "$.order.id"}, {"order": {"id": {"r": 1}, "lines": [1, 2]}, "text": "x"}),
        ({"ResultPath": "$.new.deep"}, {**RAW, "new": {"deep": {"r": 1}}}),
        ({"ResultSelector": {"only.$": "$.r", "flow.$": "$$.Execution.Id"}}, {"only": 1, "flow": "flow"}),
        ({"ResultSelector": {"only.$": "$.r"}, "ResultPath": "$.text", "OutputPath": "$.text.only"}, 1),
        ({"OutputPath": "$.r"}, 1),
        ({"OutputPath": None}, {}),
        ({"OutputPath": "$$.State.Name"}, "A"),
        ({"InputPath": "$.order", "ResultPath": "$.text"}, {**RAW, "text": {"r": 1}}),
    ],
)
def test_selector_result_path_and_output_path_make_the_output(fields: dict[str, Any], output: Any) -> None:
    before = repr(RAW)
    assert state("Task", **fields).output(RAW, {"r": 1}, CONTEXT) == output
    assert repr(RAW) == before


def test_a_path_that_finds_nothing_fails_the_state() -> None:
    assert state("Pass", InputPath="$.no").effective_input(RAW, CONTEXT) == Failure(
        "States.Runtime", "Invalid path '$.no' : No results for path: $['no']", runtime=True
    )
    assert state("Pass", InputPath="$.no.more").effective_input(RAW, CONTEXT) == Failure(
        "States.Runtime", "Invalid path '$.no.more' : Missing property in path $['no']", runtime=True
    )
    failure = state("Pass", OutputPath="$.order.no").output(RAW, RAW, CONTEXT)
    assert failure.cause == "Invalid path '$.order.no' : No results for path: $['order']['no']"


def test_a_template_that_finds_nothing_names_path_field_and_input() -> None:
    failure = state("Pass", Parameters={"value.$": "$$.Execution.no"}).effective_input({"a": "é"}, CONTEXT)
    assert failure.placed("A", 2) == Failure(
        "States.Runtime",
        "An error occurred while executing the state 'A' (entered at the event id #2). The JSONPath '$$.Execution.no' specified for the "
        "field 'value.$' could not be found in the input '{\"a\":\"é\"}'",
    )


def test_a_result_that_does_not_fit_in_is_a_match_failure() -> None:
    failure = state("Task", ResultPath="$.a").output([1], 2, CONTEXT)
    assert failure == Failure("States.ResultPathMatchFailure", "Unable to apply ReferencePath $.a to input [1]")
    assert failure.placed("A", 2) is failure


def test_a_pass_result_is_literal() -> None:
    literal = state("Pass", Result={"a.$": "$.b"}, Parameters={"x": 1})
    assert isinstance(literal, PassState)
    assert literal.result_of({"x": 1}) == {"a.$": "$.b"}
    null, none = state("Pass", Result=None), state("Pass")
    assert isinstance(null, PassState)
    assert isinstance(none, PassState)
    assert (null.result_of(RAW), none.result_of(RAW)) == (None, RAW)


@pytest.mark.parametrize(
    ("fields", "timeout_s", "heartbeat_s"),
    [
        ({}, None, None),
        ({"TimeoutSeconds": 30, "HeartbeatSeconds": 10.0}, 30, 10),
        ({"TimeoutSecondsPath": "$.order.id", "HeartbeatSecondsPath": "$$.beat"}, 7, 3),
    ],
)
def test_a_task_has_its_times(fields: dict[str, Any], timeout_s: int | None, heartbeat_s: int | None) -> None:
    task = state("Task", **fields)
    assert isinstance(task, TaskState)
    assert (task.timeout_s(RAW, Context({"beat": 3})), task.heartbeat_s(RAW, Context({"beat": 3}))) == (timeout_s, heartbeat_s)


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("$.no", "Invalid path '$.no' : No results for path: $['no']"),
        ("$.text", "The TimeoutSecondsPath parameter cannot be parsed as a long value: $.text == x"),
        ("$.zero", "The TimeoutSecondsPath parameter must be from 1 to 99999999: $.zero == 0"),
    ],
)
def test_a_timeout_that_is_no_number_of_seconds_fails_the_state(path: str, cause: str) -> None:
    task = state("Task", TimeoutSecondsPath=path)
    assert isinstance(task, TaskState)
    assert task.timeout_s({**RAW, "zero": 0}, CONTEXT) == Failure("States.Runtime", cause, runtime=True)


def wait(value: Any = None, **fields: Any) -> int | Failure:
    waiting = state("Wait", **fields)
    assert isinstance(waiting, WaitState)
    return waiting.until_ms({"v": value}, NOW_MS, CONTEXT)


@pytest.mark.parametrize(
    ("until_ms", "value", "fields"),
    [
        (NOW_MS + 5000, None, {"Seconds": 5}),
        (NOW_MS, None, {"Seconds": 0}),
        (NOW_MS + 2000, 2, {"SecondsPath": "$.v"}),
        (NOW_MS + 1000, None, {"Timestamp": "2026-01-01T12:00:01Z"}),
        (NOW_MS + 1001, None, {"Timestamp": "2026-01-01T13:00:01.000000001+01:00"}),
        (NOW_MS + 244, "2026-01-01T12:00:00.243167252Z", {"TimestampPath": "$.v"}),
        (NOW_MS, "2016-03-14T01:59:00Z", {"TimestampPath": "$.v"}),
        (NOW_MS + (2**31 - 1) * 1000, 2**31 - 1, {"SecondsPath": "$.v"}),
    ],
)
def test_a_wait_ends_when_it_says_and_never_before_now(until_ms: int, value: Any, fields: dict[str, Any]) -> None:
    assert wait(value, **fields) == until_ms


NO_TIME = "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: $.v == "


@pytest.mark.parametrize(
    ("cause", "value", "fields"),
    [
        ("The SecondsPath parameter does not reference an input value: $.no", 1, {"SecondsPath": "$.no"}),
        ("The SecondsPath parameter cannot be parsed as a long value: $.v == 1.5", 1.5, {"SecondsPath": "$.v"}),
        ("The SecondsPath parameter cannot be parsed as a long value: $.v == true", True, {"SecondsPath": "$.v"}),
        ("The SecondsPath parameter cannot be parsed as a long value: $.v == {a=[]}", {"a": []}, {"SecondsPath": "$.v"}),
        ("The SecondsPath parameter references a negative value: $.v == -1", -1, {"SecondsPath": "$.v"}),
        ("Wait state delay is too long.", 2**31, {"SecondsPath": "$.v"}),
        ("Wait state delay is too long.", None, {"Timestamp": "2096-01-01T12:00:00Z"}),
        (NO_TIME + "2016-12-05T21:29:29", "2016-12-05T21:29:29", {"TimestampPath": "$.v"}),
        (NO_TIME + "2016-13-05T21:29:29Z", "2016-13-05T21:29:29Z", {"TimestampPath": "$.v"}),
        (NO_TIME + "null", None, {"TimestampPath": "$.v"}),
        ("The TimestampPath parameter does not reference an input value: $.no", 1, {"TimestampPath": "$.no"}),
    ],
)
def test_a_wait_that_makes_no_sense_fails_the_state(cause: str, value: Any, fields: dict[str, Any]) -> None:
    assert wait(value, **fields) == Failure("States.Runtime", cause, runtime=True)


@pytest.mark.parametrize(
    ("fields", "failure"),
    [
        ({}, Failure(None, None)),
        ({"Error": "Unpaid", "Cause": "no payment"}, Failure("Unpaid", "no payment")),
        ({"ErrorPath": "$.text", "CausePath": "States.Format('order {}', $.order.id)"}, Failure("x", "order 7")),
        ({"ErrorPath": "$$.Execution.Id"}, Failure("flow", None)),
    ],
)
def test_a_fail_state_names_its_failure(fields: dict[str, Any], failure: Failure) -> None:
    failing = state("Fail", **fields)
    assert isinstance(failing, FailState)
    assert failing.failure(RAW, CONTEXT) == failure


@pytest.mark.parametrize("fields", [{"ErrorPath": "$.no"}, {"CausePath": "$.no"}, {"CausePath": "$.order"}])
def test_a_fail_state_whose_path_finds_no_text_fails_at_runtime(fields: dict[str, Any]) -> None:
    failing = state("Fail", **fields)
    assert isinstance(failing, FailState)
    failure = failing.failure(RAW, CONTEXT)
    assert (failure.error, failure.runtime) == ("States.Runtime", True)


@pytest.mark.parametrize(("found", "shown"), [({"a": 1, "b": [None, True, "x"]}, "{a=1, b=[null, true, x]}"), (None, "null"), (1.5, "1.5")])
def test_a_cause_shows_a_value_as_step_functions_does(found: Any, shown: str) -> None:
    failing = state("Fail", ErrorPath="$.o")
    assert isinstance(failing, FailState)
    assert failing.failure({"o": found}, CONTEXT).cause == f"The ErrorPath parameter must reference a string: $.o == {shown}"


def test_a_machine_holds_all_states_by_name() -> None:
    inner = {"StartAt": "Pick", "States": {"Pick": {"Type": "Task", "Resource": "task:pick", "End": True}}}
    bill = {"StartAt": "Bill", "States": {"Bill": {"Type": "Task", "Resource": "task:bill", "Next": "Ok"}, "Ok": {"Type": "Succeed"}}}
    both = {"Type": "Parallel", "Branches": [inner, bill], "Next": "Done"}
    machine = compile_machine({"StartAt": "Both", "TimeoutSeconds": 60, "States": {"Both": both, "Done": {"Type": "Succeed"}}})
    assert (machine.start_at, machine.timeout_s, set(machine.states)) == ("Both", 60, {"Both", "Pick", "Bill", "Ok", "Done"})
    parallel = machine.states["Both"]
    assert isinstance(parallel, ParallelState)
    assert (parallel.branches, parallel.next, parallel.kind) == (("Pick", "Bill"), "Done", "Parallel")
    assert isinstance(machine.states["Ok"], SucceedState)
    assert (machine.states["Bill"].next, machine.states["Pick"].next) == ("Ok", None)
    assert machine.resources() == [
        ("/States/Both/Branches/0/States/Pick/Resource", "task:pick"),
        ("/States/Both/Branches/1/States/Bill/Resource", "task:bill"),
    ]
