from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from sfc.asl import InvalidBlueprint, validate
from sfc.errors import BadInput
from sfc.testing import Endless, MissingMock, run, running
from tests.unit.testing.machines import machine, task

BLUEPRINTS = Path(__file__).resolve().parents[3] / "blueprints"
WEEK = 7 * 86_400
PASS = machine({"A": {"Type": "Pass", "End": True}})
SERVICES = {state: [{"return": state.lower()}] for state in ("Receive", "Split", "Pick", "Invoice", "Send")}


def types(history: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in history]


def test_a_blueprint_runs_to_its_end() -> None:
    outcome = run(BLUEPRINTS / "tmall-order" / "blueprint.yaml", {"paid": True}, mocks=SERVICES)
    assert (outcome.status, outcome.error, outcome.cause) == ("SUCCEEDED", None, None)
    assert outcome.path == ["Receive", "Paid?", "Split", "Fulfil", "Pick", "Invoice", "Send", "Done"]
    assert outcome.output == {"paid": True, "received": "receive", "split": "split", "fulfilment": ["pick", "invoice"], "sent": "send"}
    assert outcome.id == "tmall-order:run"


@pytest.mark.parametrize("text", [json.dumps(PASS), "StartAt: A\nStates:\n  A: {Type: Pass, End: true}\n"])
def test_a_definition_may_be_a_text(text: str) -> None:
    assert run(text, [1]).output == [1]


def test_a_definition_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "machine.json"
    file.write_text(json.dumps(PASS))
    assert run(file, "x").output == run(str(file), "x").output == "x"


def test_without_an_input_a_flow_starts_with_an_empty_object_and_null_is_an_input() -> None:
    assert run(PASS).output == {}
    assert run(PASS, None).output is None


def test_what_is_no_definition_is_refused_with_where_and_what(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.yaml can't be read"):
        run(tmp_path / "nowhere.yaml")
    with pytest.raises(BadInput, match="the definition:2:1: expected a YAML document"):
        run("StartAt: [\n")
    with pytest.raises(InvalidBlueprint) as caught:
        run({"StartAt": "B", "States": {"A": {"Type": "Pass"}}})
    assert [p.pointer for p in caught.value.problems if p.severity == "error"] == [
        p.pointer for p in validate({"StartAt": "B", "States": {"A": {"Type": "Pass"}}}) if p.severity == "error"
    ]
    assert len(caught.value.problems) >= 2


@pytest.mark.parametrize("definition", [None, 5, [], "", "[]", True])
def test_a_definition_that_is_no_object_is_an_invalid_blueprint(definition: Any) -> None:
    with pytest.raises(InvalidBlueprint):
        run(definition)


def test_a_definition_with_a_text_that_is_no_unicode_or_a_value_that_is_no_json_is_refused() -> None:
    for result, said in (("\ud800", "half of a surrogate pair"), (object(), "expected a value that JSON has")):
        with pytest.raises(BadInput, match=said):
            run(machine({"A": {"Type": "Pass", "Result": result, "End": True}}))


def test_a_wait_of_a_week_ends_at_once() -> None:
    outcome = run(machine({"A": {"Type": "Wait", "Seconds": WEEK, "End": True}}), now=datetime(2025, 6, 1))
    assert outcome.seconds == WEEK
    assert outcome.history[0]["time"] == "2025-06-01T00:00:00.000Z"
    assert outcome.history[-1]["time"] == "2025-06-08T00:00:00.000Z"


def test_now_may_have_a_time_zone_and_is_always_the_same_by_default() -> None:
    shanghai = timezone(timedelta(hours=8))
    start = run(PASS, now=datetime(2025, 6, 1, 8, tzinfo=shanghai)).history[0]
    assert start["time"] == "2025-06-01T00:00:00.000Z"
    assert run(PASS).history[0]["time"] == "2025-01-01T00:00:00.000Z"
    assert datetime(2025, 1, 1, tzinfo=UTC) == running.NOW


def test_the_same_arguments_give_the_same_outcome() -> None:
    blueprint = BLUEPRINTS / "tmall-order" / "blueprint.yaml"
    mocks = {**SERVICES, "Split": [{"throw": {"error": "OutOfStock"}}, {"return": 1}]}
    assert run(blueprint, {"paid": True}, mocks=mocks) == run(blueprint, {"paid": True}, mocks=mocks)


def test_the_context_has_the_flows_name() -> None:
    named = machine({"A": {"Type": "Pass", "Parameters": {"name.$": "$$.Execution.Name", "of.$": "$$.StateMachine.Name"}, "End": True}})
    assert run(named, name="monday").output == {"name": "monday", "of": "blueprint"}
    assert run({**named, "Sfc": {"Name": "weekly"}}).output == {"name": "run", "of": "weekly"}


def test_the_history_has_inputs_and_outputs_where_they_are_looked_for() -> None:
    outcome = run(machine({"A": task(ResultPath="$.a", Next="B"), "B": {"Type": "Succeed"}}), {"n": 1}, mocks={"A": [{"return": 2}]})
    assert types(outcome.history) == [
        "ExecutionStarted",
        *("TaskStateEntered", "TaskScheduled", "TaskSucceeded", "TaskStateExited"),
        *("SucceedStateEntered", "SucceedStateExited", "ExecutionSucceeded"),
    ]
    assert [event["seq"] for event in outcome.history] == list(range(1, 9))
    entered, scheduled, succeeded, exited = outcome.history[1:5]
    assert (entered["state"], entered["input"], scheduled["input"]) == ("A", {"n": 1}, {"n": 1})
    assert (succeeded["output"], exited["output"], exited["next"]) == (2, {"n": 1, "a": 2}, "B")
    json.dumps(outcome.history)


def test_a_missing_mock_names_the_state_and_what_to_write() -> None:
    with pytest.raises(MissingMock, match=r"'B' \(arn:aws:lambda.*input \{\"n\":1\}") as caught:
        run(machine({"A": {"Type": "Pass", "Next": "B"}, "B": task()}), {"n": 1})
    assert caught.value.state == "B"
    assert '"B": [{"return"' in caught.value.hint


def test_a_tasks_own_retry_and_timeout_are_known_from_the_folder_beside_and_from_the_caller(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "slow.yaml").write_text("Name: slow\nTimeoutSeconds: 5\n")
    (tmp_path / "b.yaml").write_text('StartAt: A\nStates:\n  A: {Type: Task, Resource: "task:slow", End: true}\n')
    never = {"A": {"never": True}}
    assert run(tmp_path / "b.yaml", mocks=never).seconds == 5
    retry = {"Name": "slow", "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 30, "MaxAttempts": 1}]}
    states = {"A": task(Resource="task:slow@3")}
    outcome = run(machine(states), mocks={"A": [{"throw": {"error": "Busy"}}, {"return": 1}]}, tasks={"slow": retry})
    assert (outcome.status, outcome.seconds) == ("SUCCEEDED", 30)


def test_a_topic_is_published_to_and_answers_nothing() -> None:
    states = {"A": task(Resource="topic:audit", Parameters={"said.$": "$.n"})}
    assert run(machine(states), {"n": 1}).output == {"said": 1}
    failed = run(machine(states), {"n": 1}, mocks={"A": {"throw": {"cause": "no such topic"}}})
    assert (failed.error, failed.cause) == ("SFC.DispatchFailed", "no such topic")
    with pytest.raises(BadInput, match="nobody answers that"):
        run(machine(states), {"n": 1}, mocks={"A": {"return": 1}})


def test_resources_are_mapped_as_the_blueprint_says() -> None:
    states = {"A": task(Resource="arn:aws:sns:eu-west-1:1:audit")}
    mapped = {"Name": "b", "Resources": {"arn:aws:sns:eu-west-1:1:audit": "topic:audit"}}
    assert run(machine(states, Sfc=mapped), 5).output == 5


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_an_input_that_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(BadInput, match="the input is no JSON value"):
        run(PASS, value)


def test_an_input_that_is_nested_too_deeply_is_refused() -> None:
    deep: Any = 0
    for _ in range(201):
        deep = [deep]
    with pytest.raises(BadInput, match="nested deeper"):
        run(PASS, deep)


def test_a_machine_that_takes_too_long_is_timed_out_without_an_error() -> None:
    outcome = run(machine({"A": {"Type": "Wait", "Seconds": WEEK, "End": True}}, TimeoutSeconds=10))
    assert (outcome.status, outcome.error, outcome.output, outcome.seconds) == ("TIMED_OUT", None, None, 10)


def test_a_flow_may_be_stopped_after_a_while() -> None:
    outcome = run(machine({"A": {"Type": "Wait", "Seconds": WEEK, "End": True}}), stop_after=60)
    assert (outcome.status, outcome.seconds) == ("ABORTED", 60)


def test_big_integers_stay_as_they_are() -> None:
    assert run(PASS, 10**30).output == 10**30


def test_a_flow_that_never_ends_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "COMMANDS_MAX", 50)
    with pytest.raises(Endless, match=r"50 commands.*'A'"):
        run(machine({"A": {"Type": "Wait", "Seconds": 1, "Next": "A"}, "B": {"Type": "Succeed"}}))


def test_a_signal_is_told_by_its_mock() -> None:
    states = {"A": task(Resource="signal:approved", TimeoutSeconds=3600)}
    outcome = run(machine(states), mocks={"A": {"return": {"by": "Ada"}, "delay": 600}})
    assert (outcome.status, outcome.output, outcome.seconds) == ("SUCCEEDED", {"by": "Ada"}, 600)
    assert [event["signal"] for event in outcome.history if event["type"] == "SignalReceived"] == ["approved"]
    assert run(machine(states), mocks={"A": {"throw": {"error": "Refused", "cause": "too dear"}}}).error == "Refused"
    assert run(machine(states), mocks={"A": {"throw": {}}}).status == "FAILED"
    assert run(machine(states), mocks={"A": {"never": True}}).error == "States.Timeout"
    with pytest.raises(MissingMock, match="signal:approved"):
        run(machine(states))


def test_a_wait_for_a_signal_that_nobody_sends_is_told_of() -> None:
    with pytest.raises(Endless, match="stands at 'A'"):
        run(machine({"A": task(Resource="signal:approved")}), mocks={"A": {"never": True}})
