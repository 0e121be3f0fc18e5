"""Maps with an ItemReader whose items are mocked: all its fields count, as on an engine."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.testing import run
from tests.unit.testing.machines import machine

ITEMS = [{"id": 1}, {"id": 2}, {"id": 3}]
FILE = {"Resource": "file:exports", "Parameters": {"Key.$": "$.key"}}


def reading(config: dict[str, Any] | None = None, reader: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A Map that gives its items back. ``config``: the ReaderConfig; ``more``: of the Map's fields."""
    each = {"StartAt": "X", "States": {"X": {"Type": "Pass", "End": True}}}
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **each}
    read = {**(reader or {"Resource": "file:exports/all.json"}), "ReaderConfig": config or {}}
    return machine({"M": {"Type": "Map", "ItemReader": read, "ItemProcessor": processor, "End": True, **more}}, "M")


def told(definition: dict[str, Any], input: Any = None, mock: Any = None) -> tuple[Any, str | None, str | None]:
    outcome = run(definition, input or {}, mocks={"M": mock or {"return": ITEMS}})
    return outcome.output, outcome.error, outcome.cause


@pytest.mark.parametrize(
    ("config", "input", "count"),
    [
        ({}, {}, 3),
        ({"MaxItems": 2}, {}, 2),
        ({"MaxItems": 9}, {}, 3),
        ({"MaxItemsPath": "$.max"}, {"max": 1}, 1),
        ({"MaxItemsPath": "$.max"}, {"max": "2"}, 2),
        ({"MaxItemsPath": "$.max"}, {"max": 0}, 3),
    ],
)
def test_no_more_items_are_taken_than_the_reader_may_read(config: dict[str, Any], input: dict[str, Any], count: int) -> None:
    assert told(reading(config), input) == (ITEMS[:count], None, None)


def test_a_number_of_items_may_be_an_expression() -> None:
    definition = {**reading({"MaxItems": "{% $states.input.max %}"}), "QueryLanguage": "JSONata"}
    assert told(definition, {"max": 2}) == (ITEMS[:2], None, None)
    assert told(definition, {"max": -2})[1] == "States.ItemReaderFailed"


def test_what_an_engine_would_not_read_fails_here_too() -> None:
    path = {"MaxItemsPath": "$.max"}
    assert told(reading(path), {"max": -1}) == (None, "States.ItemReaderFailed", "MaxItems must be 0 or more, it is -1")
    _, error, cause = told(reading(path), {"max": "x"})
    assert error == "States.Runtime"
    assert "which is not a valid integer" in str(cause)
    _, error, cause = told(reading(reader=FILE), {})
    assert error == "States.Runtime"
    assert "$.key" in str(cause)
    assert told(reading(reader=FILE), {"key": 7}) == (None, "States.ItemReaderFailed", "Key must be a text, it is 7")
    assert told(reading(reader=FILE), {"key": "../a"})[1] == "States.ItemReaderFailed"
    assert told(reading(reader=FILE), {"key": "a.jsonl"}) == (ITEMS, None, None)


def test_a_resource_of_step_functions_is_judged_by_what_it_is_mapped_to() -> None:
    reader = {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "b", "Key": "k", "From.$": "$.from"}}
    definition = reading(reader=reader)
    cause = "Parameters of {}: may have Bucket, Key, not 'From'"
    assert told(definition, {"from": 1})[1:] == ("States.ItemReaderFailed", cause.format("s3"))
    mapped = {**definition, "Sfc": {"Name": "m", "Resources": {reader["Resource"]: "file:"}}}
    assert told(mapped, {"from": 1})[1:] == ("States.ItemReaderFailed", cause.format("file"))


def test_a_resource_that_only_step_functions_know_may_have_parameters_of_its_own() -> None:
    reader = {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "b", "Prefix": "p"}}
    assert told(reading({"MaxItems": 1}, reader)) == (ITEMS[:1], None, None)


def test_a_mock_is_not_asked_where_nothing_is_read() -> None:
    """Its next answer is that of the next time that something is."""
    retry = [{"ErrorEquals": ["States.ItemReaderFailed"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    definition = reading({"MaxItemsPath": "$.max"}, Retry=retry)
    asked: list[Any] = []
    outcome = run(definition, {"max": -1}, mocks={"M": asked.append})
    assert (outcome.error, asked) == ("States.ItemReaderFailed", [])


def test_a_threshold_that_is_none_is_found_before_anything_is_read() -> None:
    definition = reading({"MaxItems": 2}, reader=FILE, ToleratedFailurePercentagePath="$.share")
    _, error, cause = told(definition, {"share": 101})
    assert error == "States.Runtime"
    assert str(cause).endswith("ToleratedFailurePercentage must be between 0 and 100.")


def test_what_the_writer_is_told_is_made_before_anything_is_read() -> None:
    writer = {"Resource": "file:", "Parameters": {"Prefix.$": "$.to"}}
    asked: list[Any] = []
    outcome = run(reading(ResultWriter=writer), {}, mocks={"M": asked.append})
    assert (outcome.error, asked) == ("States.Runtime", [])


def test_an_item_that_is_too_large_to_be_read_is_told_of() -> None:
    _, error, cause = told(reading({"MaxItems": 1}), mock={"return": ["x" * 262_144, 1]})
    assert error == "States.DataLimitExceeded"
    assert str(cause).startswith("item 0 has 262146 bytes of JSON")
