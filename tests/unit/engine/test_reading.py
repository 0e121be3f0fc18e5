"""A distributed Map with an ItemReader: a job reads the items, and its answer comes in portions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sfc.engine import events as e
from sfc.engine.commands import Complete, DispatchFailed, Heartbeat, Pause, Redrive, Resume, Start, Stop
from sfc.engine.flow import items_of
from sfc.engine.iterations import MAP_BYTES_MAX
from sfc.engine.program import Target
from sfc.engine.reading import READ_S
from sfc.errors import InvalidDocument
from tests.unit.engine.bench import Bench, program_of, task

PROCESSOR = {"StartAt": "I", "States": {"I": task("a")}}
READER = {"Resource": "file:orders.json"}
S3 = "arn:aws:states:::s3:getObject"


def reading(reader: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    end = {} if "Next" in fields else {"End": True}
    return {"Type": "Map", "ItemReader": reader or READER, "ItemProcessor": PROCESSOR, **end, **fields}


def started(given: Any = None, states: dict[str, Any] | None = None, more: dict[str, Any] | None = None, **fields: Any) -> Bench:
    bench = Bench(program_of(states or {"A": reading(**fields)}, **(more or {})))
    bench.start(given)
    return bench


def portion(bench: Bench, number: int, items: list[Any], *, last: bool = False, of: str = "r1", job: int = -1) -> bool:
    """Whether the portion was dropped."""
    return bench.do(Complete(bench.jobs[job].token, {"Reading": of, "Number": number, "Items": items, "Last": last})).closed


def inputs(bench: Bench) -> list[Any]:
    return [sent.command.input for sent in bench.sent if isinstance(sent.command, Start)]


def kinds(bench: Bench) -> list[str]:
    return [type(event).__name__ for event in bench.history]


def test_the_job_says_what_is_read_and_goes_to_the_common_workers() -> None:
    config = {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a"], "MaxItemsPath": "$.most"}
    reader = {"Resource": S3, "Parameters": {"Key.$": "$.key"}, "ReaderConfig": config}
    bench = started({"key": "k.csv", "most": 7}, more={"Sfc": {"Resources": {S3: "file:exports/"}}}, reader=reader)
    [job] = bench.jobs
    assert job.target == Target("read:file:exports/", "reader", "t.jobs")
    assert msgspec.json.decode(job.value) == {
        "Parameters": {"Key": "k.csv"},
        "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a"], "MaxItems": 7},
    }
    assert (job.attempt, job.deadline_ms) == (1, bench.shard.clock_ms + READ_S * 1000)
    assert kinds(bench)[2:] == ["ItemReaderScheduled"]


def test_jsonata_says_what_is_read() -> None:
    config = {"InputType": "JSONL", "MaxItems": "{% $states.input.most %}"}
    reader = {"Resource": "https://x/y", "Arguments": {"Key": "{% $states.input.key %}"}, "ReaderConfig": config}
    bench = started({"key": "k", "most": 7}, more={"QueryLanguage": "JSONata"}, reader=reader)
    told = {"Parameters": {"Key": "k"}, "ReaderConfig": {"InputType": "JSONL", "MaxItems": 7}}
    assert msgspec.json.decode(bench.jobs[0].value) == told
    wrong = started({"key": "k"}, more={"QueryLanguage": "JSONata"}, reader=reader)
    assert (wrong.status, wrong.jobs) == ("FAILED", [])
    assert "ItemReader/ReaderConfig/MaxItems" in str(wrong.flow and wrong.flow.cause)


def test_portions_make_the_items_and_the_last_one_starts_the_iterations() -> None:
    bench = started({"shop": "s"}, ItemSelector={"shop.$": "$.shop", "row.$": "$$.Map.Item.Value"}, ItemsPath="$.nowhere")
    assert not portion(bench, 0, [1, 2])
    assert inputs(bench) == []
    assert not portion(bench, 1, [3], last=True)
    assert inputs(bench) == [{"shop": "s", "row": row} for row in (1, 2, 3)]
    assert bench.flow is not None
    assert items_of(bench.flow.branches[0]) == [1, 2, 3]
    started_ = next(event for event in bench.history if isinstance(event, e.MapRunStarted))
    assert (started_.length, started_.read, started_.items) == (3, True, msgspec.UNSET), "the history has the items once"


def test_a_portion_that_comes_again_or_out_of_order_is_dropped() -> None:
    bench = started()
    assert portion(bench, 1, ["early"], last=True)
    assert not portion(bench, 0, [1])
    assert portion(bench, 0, [1])
    assert portion(bench, 2, ["too soon"], last=True)
    assert not portion(bench, 1, [2], last=True)
    assert portion(bench, 1, [2], last=True)
    assert portion(bench, 0, ["another's"], of="r2", last=True), "the items are there"
    assert inputs(bench) == [1, 2]


def test_portions_of_two_readings_never_mix() -> None:
    """A worker was taken for dead, and another does its job again; meanwhile the file has changed."""
    bench = started()
    assert not portion(bench, 0, ["old 1", "old 2"], of="r1")
    assert not portion(bench, 0, ["new 1"], of="r2")
    assert portion(bench, 1, ["old 3"], of="r1", last=True)
    assert not portion(bench, 1, ["new 2"], of="r2", last=True)
    assert inputs(bench) == ["new 1", "new 2"]


def test_nothing_read_is_nothing_done() -> None:
    bench = started()
    assert not portion(bench, 0, [], last=True)
    assert (bench.status, bench.sent) == ("SUCCEEDED", [])


def test_items_are_batched_after_they_were_read() -> None:
    bench = started(ItemBatcher={"MaxItemsPerBatch": 2})
    portion(bench, 0, [1])
    portion(bench, 1, [2, 3], last=True)
    assert inputs(bench) == [{"Items": [1, 2]}, {"Items": [3]}]


def test_more_than_one_payload_of_items_can_be_read() -> None:
    bench = started(MaxConcurrency=1)
    large = "x" * 200_000
    for number in range(10):
        assert not portion(bench, number, [large], last=number == 9)
    assert (bench.status, inputs(bench)) == ("RUNNING", [large])


def test_more_items_than_can_be_kept_fail_the_map() -> None:
    bench = started(states={"A": reading(Catch=[{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "B"}]), "B": {"Type": "Succeed"}})
    large = "x" * 250_000
    for number in range(MAP_BYTES_MAX // 250_000):
        assert not portion(bench, number, [large])
    assert not portion(bench, MAP_BYTES_MAX // 250_000, [large])
    assert bench.status == "SUCCEEDED"
    [failed] = [event for event in bench.history if isinstance(event, e.ItemReaderFailed)]
    assert failed.error == "States.DataLimitExceeded"
    assert f"at most {MAP_BYTES_MAX} can be kept" in str(failed.cause)


def test_batches_of_many_items_are_kept_in_their_stead() -> None:
    bench = started(MaxConcurrency=1, ItemBatcher={"MaxItemsPerBatch": 4})
    for number in range(20):
        assert not portion(bench, number, ["x" * 50_000] * 2, last=number == 19)
    assert bench.flow is not None
    assert [len(batch["Items"]) for batch in items_of(bench.flow.branches[0])] == [4] * 10
    assert inputs(bench) == [{"Items": ["x" * 50_000] * 4}]


def test_batches_larger_than_can_be_kept_fail_the_map() -> None:
    """Each item becomes a batch, and each batch has the BatchInput."""
    bench = started("y" * 200_000, ItemBatcher={"MaxItemsPerBatch": 1, "BatchInput": {"all.$": "$"}})
    portion(bench, 0, list(range(20)), last=True)
    assert bench.flow is not None
    assert bench.flow.error == "States.DataLimitExceeded"


def test_a_reader_s_error_is_retried_then_caught() -> None:
    retry = [{"ErrorEquals": ["States.ItemReaderFailed"], "IntervalSeconds": 5, "MaxAttempts": 1}]
    catch = [{"ErrorEquals": ["States.ItemReaderFailed"], "Next": "B"}]
    bench = started(states={"A": reading(Retry=retry, Catch=catch), "B": {"Type": "Pass", "End": True}})
    portion(bench, 0, ["half of it"])
    bench.fail("States.ItemReaderFailed", "no such file")
    assert bench.status == "RUNNING"
    bench.fire(5_000)
    assert [job.attempt for job in bench.jobs] == [1, 2]
    assert bench.jobs[0].token != bench.jobs[1].token
    assert portion(bench, 1, ["late"], last=True, job=0)
    bench.fail("States.ItemReaderFailed", "still no such file")
    assert bench.status == "SUCCEEDED"
    [caught] = [event for event in bench.history if isinstance(event, e.StateExited) and event.caught]
    assert caught.output == {"Error": "States.ItemReaderFailed", "Cause": "still no such file"}


@pytest.mark.parametrize("answer", [None, [1], {"Items": [1]}, {"Reading": "", "Number": 0, "Items": [], "Last": True}])
def test_an_answer_that_is_no_portion_fails_the_map(answer: Any) -> None:
    bench = started()
    bench.complete(answer)
    assert (bench.status, bench.flow and bench.flow.error) == ("FAILED", "States.ItemReaderFailed")


def test_a_job_that_cannot_leave_fails_the_map() -> None:
    bench = started()
    bench.do(DispatchFailed(bench.jobs[0].token, "no topic"))
    assert bench.flow is not None
    assert (bench.flow.error, bench.flow.cause) == ("States.ItemReaderFailed", "the job could not be sent: no topic")


def test_items_that_do_not_come_in_time_fail_the_map() -> None:
    bench = started()
    portion(bench, 0, [1])
    bench.fire(READ_S * 1000)
    assert bench.flow is not None
    assert (bench.flow.error, bench.flow.cause) == ("States.ItemReaderFailed", f"the items were not read within {READ_S} s")


def test_a_wrong_concurrency_is_found_when_the_items_are_there_and_leaves_nothing_behind() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "B"}]
    states = {"A": reading(MaxConcurrencyPath="$.many", Catch=catch), "B": task("b")}
    bench = started({"many": -1}, states=states)
    portion(bench, 0, [1], last=True)
    assert bench.flow is not None
    assert bench.flow.branches[0].map is None


def test_while_the_flow_stands_portions_are_taken_and_the_iterations_wait() -> None:
    bench = started()
    bench.do(Pause())
    assert not portion(bench, 0, [1])
    assert not portion(bench, 1, [2], last=True)
    assert portion(bench, 0, ["again"], of="r2"), "the items are complete already"
    assert bench.flow is not None
    assert len(bench.flow.inbox) == 1, "only what leads on waits"
    assert inputs(bench) == []
    bench.do(Resume())
    assert inputs(bench) == [1, 2]


def test_an_error_that_comes_while_the_flow_stands_waits() -> None:
    bench = started()
    bench.hold()
    bench.fail("States.ItemReaderFailed", "gone")
    assert bench.status == "RUNNING"
    bench.lift()
    assert bench.status == "FAILED"


def test_a_redrive_reads_anew() -> None:
    bench = started()
    portion(bench, 0, [1])
    bench.do(Stop())
    assert portion(bench, 1, [2], last=True)
    bench.do(Redrive())
    assert len(bench.jobs) == 2
    assert not portion(bench, 0, ["new"], of="r9", last=True)
    assert inputs(bench) == ["new"]


def test_a_sign_of_life_of_a_reader_changes_nothing() -> None:
    bench = started()
    assert bench.do(Heartbeat(bench.jobs[0].token)).closed


@pytest.mark.parametrize(
    ("reader", "code", "pointer"),
    [
        ({"Resource": S3}, "unknown-resource", "/States/A/ItemReader/Resource"),
        ({"Resource": "task:a@1"}, "unknown-resource", "/States/A/ItemReader/Resource"),
        ({"Resource": "topic:"}, "unknown-resource", "/States/A/ItemReader/Resource"),
        ({"Resource": "file:x", "ReaderConfig": {"InputType": "PARQUET"}}, "not-yet", "/States/A/ItemReader/ReaderConfig/InputType"),
        (
            {"Resource": "file:x", "ReaderConfig": {"Transformation": "LOAD_AND_FLATTEN"}},
            "not-yet",
            "/States/A/ItemReader/ReaderConfig/Transformation",
        ),
        ({"Resource": "topic:x", "ReaderConfig": {"InputType": "CSV"}}, "bad-value", "/States/A/ItemReader/ReaderConfig/InputType"),
    ],
)
def test_a_reader_that_nothing_runs_is_refused(reader: dict[str, Any], code: str, pointer: str) -> None:
    with pytest.raises(InvalidDocument) as raised:
        program_of({"A": reading(reader)})
    assert [(p.code, p.pointer) for p in raised.value.problems] == [(code, pointer)]


def test_a_result_writer_is_still_refused() -> None:
    with pytest.raises(InvalidDocument) as raised:
        program_of({"A": reading(ResultWriter={"Resource": "file:out"})})
    assert [p.code for p in raised.value.problems] == ["not-yet"]
