from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sfc.errors import BadInput
from sfc.testing import MissingMock, step
from tests.unit.testing.machines import machine, task

ORDER = Path(__file__).resolve().parents[3] / "blueprints" / "tmall-order" / "blueprint.yaml"
FULL = machine(
    {
        "A": task(
            InputPath="$.order",
            Parameters={"id.$": "$.id", "tries.$": "$$.State.RetryCount"},
            ResultSelector={"got.$": "$.x"},
            ResultPath="$.result",
            OutputPath="$.result.got",
            Next="B",
            Retry=[{"ErrorEquals": ["Busy"], "IntervalSeconds": 2, "MaxAttempts": 2, "BackoffRate": 3}],
            Catch=[{"ErrorEquals": ["Lost"], "Next": "B"}, {"ErrorEquals": ["States.ALL"], "ResultPath": "$.failed", "Next": "B"}],
        ),
        "B": task(),
    }
)
GIVEN = {"order": {"id": 7}, "other": 1}
BUSY = {"throw": {"error": "Busy", "cause": "later"}}


def test_each_field_of_a_task_is_a_stage() -> None:
    made = step(FULL, "A", GIVEN, mocks={"A": {"return": {"x": "X", "y": 1}}})
    assert made.stages == {
        "input": GIVEN,
        "afterInputPath": {"id": 7},
        "afterParameters": {"id": 7, "tries": 0},
        "result": {"x": "X", "y": 1},
        "afterResultSelector": {"got": "X"},
        "afterResultPath": {**GIVEN, "result": {"got": "X"}},
    }
    assert (made.status, made.output, made.next, made.error) == ("SUCCEEDED", "X", "B", None)


def test_a_retrier_that_takes_the_error_is_named_with_its_pause() -> None:
    first = step(FULL, "A", GIVEN, mocks={"A": BUSY})
    assert (first.status, first.error, first.cause, first.retrier, first.retry_seconds) == ("RETRIABLE", "Busy", "later", 0, 2)
    assert list(first.stages) == ["input", "afterInputPath", "afterParameters"]
    second = step(FULL, "A", GIVEN, mocks={"A": BUSY}, retries=1)
    assert (second.status, second.retry_seconds, second.stages["afterParameters"]["tries"]) == ("RETRIABLE", 6, 1)


def test_a_catcher_takes_what_no_retrier_takes_any_more() -> None:
    made = step(FULL, "A", GIVEN, mocks={"A": BUSY}, retries=2)
    assert (made.status, made.catcher, made.next, made.retrier) == ("CAUGHT_ERROR", 1, "B", None)
    assert made.output == {**GIVEN, "failed": {"Error": "Busy", "Cause": "later"}}
    assert (made.error, made.cause) == ("Busy", "later")
    assert step(FULL, "A", GIVEN, mocks={"A": {"throw": {"error": "Lost"}}}).catcher == 0


def test_a_field_that_finds_nothing_ends_the_stages() -> None:
    made = step(FULL, "A", {"other": 1})
    assert (made.status, made.error, made.stages) == ("FAILED", "States.Runtime", {"input": {"other": 1}})
    made = step(FULL, "A", GIVEN, mocks={"A": {"return": {}}})
    assert (made.status, list(made.stages)[-1]) == ("FAILED", "result")


@pytest.mark.parametrize(("paid", "following"), [(True, "Split"), (False, "Unpaid")])
def test_a_choice_names_the_next_state(paid: bool, following: str) -> None:
    assert step(ORDER, "Paid?", {"paid": paid}).next == following


def test_a_pass_a_wait_and_a_fail() -> None:
    states = {
        "A": {"Type": "Pass", "Result": 5, "ResultPath": "$.r", "Next": "W"},
        "W": {"Type": "Wait", "Seconds": 9, "Next": "F"},
        "F": {"Type": "Fail", "Error": "E", "Cause": "c"},
    }
    made = step(machine(states), "A", {})
    assert (made.stages["result"], made.output) == (5, {"r": 5})
    assert step(machine(states), "W", 1).next == "F"
    made = step(machine(states), "F", 1)
    assert (made.status, made.error, made.cause, made.stages) == ("FAILED", "E", "c", {"input": 1})


def test_a_parallel_runs_its_branches_and_a_state_of_a_branch_stands_by_itself() -> None:
    made = step(ORDER, "Fulfil", {}, mocks={"Pick": {"return": 1}, "Invoice": {"return": 2}})
    assert (made.stages["result"], made.output) == ([1, 2], {"fulfilment": [1, 2]})
    inner = step(ORDER, "Pick", {}, mocks={"Pick": {"return": 1}})
    assert (inner.status, inner.output, inner.next) == ("SUCCEEDED", 1, None)
    failed = step(ORDER, "Fulfil", {}, mocks={"Pick": {"throw": {"error": "Gone"}}, "Invoice": {"never": True}})
    assert (failed.status, failed.error) == ("FAILED", "Gone")


def test_a_task_needs_its_mock_and_a_state_must_be_there() -> None:
    with pytest.raises(MissingMock):
        step(FULL, "A", GIVEN)
    with pytest.raises(BadInput, match=r"no state 'Spilt'. Did you mean 'Split'\?"):
        step(ORDER, "Spilt", {})


def test_variables_are_seen_and_shown_as_they_are_afterwards() -> None:
    states = {"A": {"Type": "Pass", "Parameters": {"v.$": "$v"}, "Assign": {"w.$": "$.v", "v": 3}, "End": True}}
    made = step(machine(states), "A", {}, variables={"v": 2, "u": 1})
    assert (made.stages["afterParameters"], made.output, made.variables) == ({"v": 2}, {"v": 2}, {"u": 1, "v": 3, "w": 2})
    assert step(machine(states), "A", {}).error == "States.Runtime"


def test_a_state_in_jsonata_has_arguments_and_an_output() -> None:
    states = {"A": task(QueryLanguage="JSONata", Arguments={"n": "{% $states.input.n + 1 %}"}, Output="{% $states.result * 2 %}")}
    made = step(machine(states), "A", {"n": 1}, mocks={"A": lambda given: given["n"] * 10})
    assert made.stages == {"input": {"n": 1}, "afterArguments": {"n": 2}, "result": 20}
    assert made.output == 40


def test_chance_is_the_same_as_in_the_engine() -> None:
    made = step(machine({"A": {"Type": "Pass", "Parameters": {"id.$": "States.UUID()"}, "End": True}}), "A", {})
    assert made.stages["afterParameters"] == made.output
    selected = machine({"A": task(ResultSelector={"id.$": "States.UUID()"})})
    made = step(selected, "A", {}, mocks={"A": {"return": 1}})
    assert made.stages["afterResultSelector"] == made.output


def test_a_token_in_the_arguments_is_that_of_the_job() -> None:
    asked: list[Any] = []
    made = step(machine({"A": task(Parameters={"token.$": "$$.Task.Token"})}), "A", {}, mocks={"A": asked.append})
    assert made.stages["afterParameters"] == asked[0]


def test_a_map_shows_its_items_and_its_result() -> None:
    inner = {"StartAt": "I", "States": {"I": task()}}
    mapped = {"Type": "Map", "ItemsPath": "$.l", "ItemSelector": {"v.$": "$$.Map.Item.Value"}, "ResultPath": "$.o", "ItemProcessor": inner}
    machine_of_map = machine({"A": {**mapped, "Next": "B"}, "B": {"Type": "Succeed"}})
    made = step(machine_of_map, "A", {"l": [1, 2]}, mocks={"I": lambda given: given["v"] * 10})
    assert (made.stages["afterItemsPath"], made.stages["result"], made.next) == ([1, 2], [10, 20], "B")
    assert made.output == {"l": [1, 2], "o": [10, 20]}
    batches = machine({"A": {**mapped, "ItemBatcher": {"MaxItemsPerBatch": 2}, "ItemSelector": {"v": 1}, "End": True}})
    assert "afterItemBatcher" in step(batches, "A", {"l": [1, 2]}, mocks={"I": {"return": 0}}).stages
    failed = step(machine_of_map, "A", {"l": [1]}, mocks={"I": {"throw": {"error": "Gone"}}})
    assert (failed.status, failed.error, "result" in failed.stages) == ("FAILED", "Gone", False)
    assert step(machine_of_map, "A", {"l": 1}).error == "States.Runtime"
