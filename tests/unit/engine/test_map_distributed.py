"""A distributed Map that runs in the flow itself, as tests run it: thresholds, batches, mocked readers."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.errors import BadInput
from sfc.testing import TaskFailed, run, step


def machine(**fields: Any) -> dict[str, Any]:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "P",
        "States": {"P": {"Type": "Task", "Resource": "task:p", "End": True}},
    }
    return {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": processor, "End": True, **fields}}}


def work(item: Any) -> Any:
    if item == "bad":
        raise TaskFailed("Bad", "as asked")
    return item


@pytest.mark.parametrize(
    ("fields", "items", "output"),
    [
        ({"ToleratedFailureCount": 1}, ["a", "bad", "c"], ["a", "c"]),
        ({"ToleratedFailureCount": 1, "MaxConcurrency": 1}, ["bad", "b"], ["b"]),
        ({"ToleratedFailurePercentage": 50}, ["bad", "b"], ["b"]),
        ({"ToleratedFailurePercentage": 100}, ["bad", "bad"], []),
        ({"ToleratedFailureCount": 1}, ["a", "b"], ["a", "b"]),
    ],
)
def test_tolerated_failures_are_left_out(fields: dict[str, Any], items: list[str], output: list[str]) -> None:
    outcome = run(machine(**fields), items, mocks={"P": work})
    assert (outcome.status, outcome.output) == ("SUCCEEDED", output)


@pytest.mark.parametrize(
    ("fields", "items"),
    [
        ({}, ["a", "bad"]),
        ({"ToleratedFailureCount": 1}, ["bad", "bad", "c"]),
        ({"ToleratedFailurePercentage": 49}, ["bad", "b"]),
        ({"ToleratedFailureCount": 1, "ToleratedFailurePercentage": 10}, ["bad", "b"]),
    ],
)
def test_more_of_them_fail_the_map(fields: dict[str, Any], items: list[str]) -> None:
    outcome = run(machine(**fields), items, mocks={"P": work})
    assert (outcome.status, outcome.error) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    assert outcome.cause == "The specified tolerated failure threshold was exceeded"


def test_an_exceeded_threshold_can_be_caught_and_retried() -> None:
    caught = machine(Catch=[{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "Next": "Z"}])
    caught["States"]["Z"] = {"Type": "Pass", "Result": "caught", "End": True}
    assert run(caught, ["bad"], mocks={"P": work}).output == "caught"
    again = machine(Retry=[{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"]}])
    assert run(again, ["a"], mocks={"P": [{"throw": {"error": "E"}}, {"return": 1}]}).output == [1]


@pytest.mark.parametrize(
    ("batcher", "batches"),
    [
        ({"MaxItemsPerBatch": 2}, [{"Items": [1, 2]}, {"Items": [3]}]),
        ({"MaxItemsPerBatch": 9, "BatchInput": {"k.$": "$[0]"}}, [{"BatchInput": {"k": 1}, "Items": [1, 2, 3]}]),
        ({"MaxInputBytesPerBatch": 16}, [{"Items": [1, 2]}, {"Items": [3]}]),
        ({"MaxInputBytesPerBatch": 1}, [{"Items": [1]}, {"Items": [2]}, {"Items": [3]}]),
        ({"MaxItemsPerBatchPath": "$[1]"}, [{"Items": [1, 2]}, {"Items": [3]}]),
    ],
)
def test_batches(batcher: dict[str, Any], batches: list[Any]) -> None:
    assert run(machine(ItemBatcher=batcher), [1, 2, 3], mocks={"P": work}).output == batches


def test_items_are_selected_before_they_are_batched() -> None:
    selector = {"n.$": "$$.Map.Item.Value", "at.$": "$$.Map.Item.Index"}
    outcome = run(machine(ItemBatcher={"MaxItemsPerBatch": 2}, ItemSelector=selector), ["a", "b"], mocks={"P": work})
    assert outcome.output == [{"Items": [{"n": "a", "at": 0}, {"n": "b", "at": 1}]}]


@pytest.mark.parametrize("path", ["MaxItemsPerBatchPath", "MaxInputBytesPerBatchPath"])
def test_batches_of_none_fail_the_flow(path: str) -> None:
    outcome = run(machine(ItemBatcher={path: "$[0]"}), [0], mocks={"P": work})
    assert (outcome.status, outcome.error) == ("FAILED", "States.Runtime")
    assert "must be greater than zero" in (outcome.cause or "")


READER = {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "b", "Key": "k"}}


def test_mocks_give_the_items_of_a_reader() -> None:
    document = machine(ItemReader=READER, ItemsPath="$.nowhere")
    assert run(document, {}, mocks={"P": work, "M": [{"return": ["x", "y"]}]}).output == ["x", "y"]
    assert run(document, {"n": 2}, mocks={"P": work, "M": lambda given: [given["n"]]}).output == [2]


@pytest.mark.parametrize(
    ("mock", "cause"),
    [
        ({"M": {"throw": {"error": "States.ItemReaderFailed", "cause": "no such key"}}}, "no such key"),
        ({"M": {"throw": {"cause": "no such key"}}}, "no such key"),
        ({"M": {"return": {"no": "list"}}}, "the mock of state 'M' gives no list of items"),
        ({}, "the items of state 'M' are read by nobody here: give it a mock"),
    ],
)
def test_what_cannot_be_read_fails_the_map(mock: dict[str, Any], cause: str) -> None:
    outcome = run(machine(ItemReader=READER), {}, mocks={"P": work, **mock})
    assert (outcome.error, outcome.cause) == ("States.ItemReaderFailed", cause)


def test_a_step_s_reader_is_mocked_too() -> None:
    made = step(machine(ItemReader=READER), "M", {}, mocks={"P": work, "M": [{"return": ["x"]}]})
    assert (made.status, made.output) == ("SUCCEEDED", ["x"])


def test_a_map_without_a_reader_takes_no_mock() -> None:
    with pytest.raises(BadInput, match="only Task states, and Maps with an ItemReader, are answered"):
        run(machine(), [], mocks={"M": [{"return": []}]})


WRITER = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b", "Prefix.$": "$[0]"}}


def test_what_a_result_writer_would_write_is_told_and_the_result_says_where() -> None:
    outcome = run(machine(ResultWriter=WRITER, ToleratedFailureCount=1), ["a", "bad", "c"], mocks={"P": work})
    details = outcome.output["ResultWriterDetails"]
    run_id = outcome.output["MapRunArn"].rpartition(":")[2]
    assert len(run_id) == 36
    assert outcome.output["MapRunArn"].endswith(f"/M:{run_id}")
    assert details == {"Bucket": "b", "Key": f"a/{run_id}/manifest.json"}
    assert outcome.written == {"M": ["a", "c"]}
    assert run(machine(), ["a"], mocks={"P": work}).written == {}


def test_a_result_writer_without_a_resource_shapes_the_result() -> None:
    flat = {"WriterConfig": {"OutputType": "JSON", "Transformation": "FLATTEN"}}
    outcome = run(machine(ResultWriter=flat), [["a", "b"], "c"], mocks={"P": work})
    assert (outcome.output, outcome.written) == (["a", "b", "c"], {})


def test_a_result_writer_s_parameters_that_can_not_be_made_fail_the_map_before_it_begins() -> None:
    wrong = {**WRITER, "Parameters": {"Bucket.$": "$.nowhere"}}
    outcome = run(machine(ResultWriter=wrong), ["a"], mocks={"P": work})
    assert (outcome.status, outcome.error, outcome.path) == ("FAILED", "States.Runtime", ["M"])
