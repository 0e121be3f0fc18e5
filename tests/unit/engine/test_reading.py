"""A distributed Map with an ItemReader: a job reads the items, and its answer comes in portions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sfc.engine import events as e
from sfc.engine.commands import ChildEnded, Complete, Dispatched, DispatchFailed, Heartbeat, Pause, Redrive, Resume, Start, Stop
from sfc.engine.program import Target
from sfc.engine.reading import READ_S
from sfc.errors import InvalidDocument
from tests.unit.engine.bench import Bench, encode, program_of, task

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


def page(bench: Bench, items: list[Any], next: Any = None, job: int = -1) -> bool:
    """Whether the page was dropped."""
    return bench.do(Complete(bench.jobs[job].token, {"Items": items, "Next": next})).closed


def ended(bench: Bench, number: int, status: str = "SUCCEEDED", **fields: Any) -> None:
    """The flow of an iteration tells its end."""
    command = [sent.command for sent in bench.sent if isinstance(sent.command, Start)][number]
    assert isinstance(command, Start)
    assert command.parent is not None
    bench.do(ChildEnded(command.parent.token, status, index=command.parent.index, **fields))


def told(bench: Bench) -> list[Any]:
    """What each job was told."""
    return [msgspec.json.decode(job.value) for job in bench.jobs]


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
    assert kinds(bench)[2:] == ["MapRunStarted", "ItemReaderScheduled"]


def test_jsonata_says_what_is_read() -> None:
    config = {"InputType": "JSONL", "MaxItems": "{% $states.input.most %}"}
    reader = {"Resource": "https://x/y", "Arguments": {"Key": "{% $states.input.key %}"}, "ReaderConfig": config}
    bench = started({"key": "k", "most": 7}, more={"QueryLanguage": "JSONata"}, reader=reader)
    assert told(bench) == [{"Parameters": {"Key": "k"}, "ReaderConfig": {"InputType": "JSONL", "MaxItems": 7}}]
    wrong = started({"key": "k"}, more={"QueryLanguage": "JSONata"}, reader=reader)
    assert (wrong.status, wrong.jobs) == ("FAILED", [])
    assert "ItemReader/ReaderConfig/MaxItems" in str(wrong.flow and wrong.flow.cause)


def test_a_page_starts_its_iterations_and_the_next_one_is_asked_for_at_once() -> None:
    bench = started({"shop": "s"}, ItemSelector={"shop.$": "$.shop", "row.$": "$$.Map.Item.Value"}, ItemsPath="$.nowhere")
    assert not page(bench, [1, 2], {"at": 2})
    assert inputs(bench) == [{"shop": "s", "row": row} for row in (1, 2)]
    assert told(bench)[1] == {**told(bench)[0], "Cursor": {"at": 2}}
    assert bench.jobs[0].token != bench.jobs[1].token
    assert not page(bench, [3])
    assert inputs(bench)[2:] == [{"shop": "s", "row": 3}]
    assert len(bench.jobs) == 2
    for number in range(3):
        ended(bench, number, output=number)
    assert bench.status == "SUCCEEDED"
    [exited] = [event for event in bench.history if isinstance(event, e.MapRunSucceeded)]
    assert exited.result is msgspec.UNSET
    started_ = next(event for event in bench.history if isinstance(event, e.MapRunStarted))
    assert (started_.length, started_.items) == (-1, msgspec.UNSET)


def test_places_of_items_go_on_over_the_pages() -> None:
    bench = started(ItemSelector={"at.$": "$$.Map.Item.Index", "row.$": "$$.Map.Item.Value"})
    page(bench, ["a", "b"], 1)
    page(bench, ["c"], 2)
    page(bench, ["d"])
    assert inputs(bench) == [{"at": at, "row": row} for at, row in enumerate("abcd")]
    assert [event.index for event in bench.history if isinstance(event, e.ChildStarted)] == [0, 1, 2, 3]


def test_one_page_is_read_ahead_and_no_more() -> None:
    bench = started(MaxConcurrency=1)
    page(bench, [1, 2], 1)
    page(bench, [3, 4], 2)
    assert (inputs(bench), len(bench.jobs)) == ([1], 2)
    ended(bench, 0)
    assert (inputs(bench), len(bench.jobs)) == ([1, 2], 3), "the first page is used up"
    assert not page(bench, [5])
    for number in range(1, 5):
        ended(bench, number, output=number)
    assert (inputs(bench), bench.status) == ([1, 2, 3, 4, 5], "SUCCEEDED")


def test_the_state_does_not_grow_with_the_items() -> None:
    bench = started(MaxConcurrency=10, ResultWriter={"Resource": "file:out"})
    sizes = []
    done = 0
    while bench.status == "RUNNING" and done < 900:
        for number, job in enumerate(bench.jobs):
            if bench.root.map is None or bench.root.map.reads is None or bench.root.map.reads.token != job.token:
                continue
            at = (msgspec.json.decode(job.value).get("Cursor") or {"at": 0})["at"]
            page(bench, [{"n": n} for n in range(at, at + 100)], {"at": at + 100}, job=number)
        ended(bench, done)
        done += 1
        if done % 150 == 0:
            sizes.append(len(encode(bench.flow)))
        bench.history.clear()
        bench.jobs = bench.jobs[-3:]
        writing = bench.root.map.writes if bench.root.map else None
        for token in list(writing.open) if writing else []:
            bench.do(Complete(token, {"Size": 7}))
    assert max(sizes) < min(sizes) + 40_000, "of results there are as many as make a part"
    assert bench.root.map is not None
    assert bench.root.map.started == done + 10


def test_a_page_that_comes_again_is_dropped() -> None:
    """A worker was taken for dead, and another did its job again; meanwhile the file has changed."""
    bench = started()
    assert not page(bench, [1], 1)
    assert page(bench, ["another's"], None, job=0)
    assert not page(bench, [2])
    assert page(bench, [2])
    assert inputs(bench) == [1, 2]


def test_nothing_read_is_nothing_done() -> None:
    bench = started()
    assert not page(bench, [])
    assert (bench.status, bench.sent) == ("SUCCEEDED", [])


def test_an_empty_page_may_be_followed_by_another_one() -> None:
    bench = started()
    page(bench, [], 1)
    page(bench, [1], 2)
    page(bench, [], 3)
    page(bench, [])
    assert (inputs(bench), bench.status) == ([1], "RUNNING")
    ended(bench, 0)
    assert bench.status == "SUCCEEDED"


def test_each_page_is_batched_by_itself_and_the_reader_knows_how_many_make_a_batch() -> None:
    selector = {"at.$": "$$.Map.Item.Index", "row.$": "$$.Map.Item.Value"}
    bench = started(ItemBatcher={"MaxItemsPerBatch": 2}, ItemSelector=selector)
    assert told(bench)[0]["Batch"] == 2
    page(bench, ["a", "b"], 1)
    page(bench, ["c"])
    rows = [{"at": at, "row": row} for at, row in enumerate("abc")]
    assert inputs(bench) == [{"Items": rows[:2]}, {"Items": rows[2:]}]


def test_many_pages_of_large_items_can_be_read() -> None:
    bench = started(MaxConcurrency=1)
    large = "x" * 200_000
    for number in range(30):
        assert not page(bench, [large], number + 1)
        ended(bench, number)
    assert (bench.status, len(inputs(bench))) == ("RUNNING", 30), "six megabytes, of which two pages are kept at a time"


def test_results_that_are_too_many_bytes_name_the_result_writer() -> None:
    bench = started()
    page(bench, list(range(20)))
    for number in range(13):
        if bench.status == "RUNNING":
            ended(bench, number, output="x" * 262_000)
    assert (bench.status, bench.living.error) == ("FAILED", "States.DataLimitExceeded")
    assert "written by a ResultWriter" in str(bench.living.cause)


@pytest.mark.parametrize(
    ("fields", "failing", "status"),
    [
        ({}, [0], "FAILED"),
        ({"ToleratedFailureCount": 1}, [0], "SUCCEEDED"),
        ({"ToleratedFailureCount": 1}, [0, 1], "FAILED"),
        ({"ToleratedFailurePercentage": 50}, [0, 1], "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 49}, [0, 1], "FAILED"),
    ],
)
def test_a_percentage_is_judged_when_all_items_are_known(fields: dict[str, Any], failing: list[int], status: str) -> None:
    bench = started(MaxConcurrency=2, **fields)
    page(bench, [0, 1], 1)
    for number in (0, 1):
        if bench.status == "RUNNING":
            ended(bench, number, "FAILED" if number in failing else "SUCCEEDED", output=number)
    assert bench.status == ("FAILED" if status == "FAILED" and "ToleratedFailurePercentage" not in fields else "RUNNING")
    if bench.status == "RUNNING":
        page(bench, [2, 3])
        for number in (2, 3):
            ended(bench, number, output=number)
    assert bench.status == status
    if status == "FAILED":
        assert bench.living.error == "States.ExceedToleratedFailureThreshold"


def test_batches_larger_than_can_be_carried_fail_the_map() -> None:
    """Each item becomes a batch, and each batch has the BatchInput."""
    bench = started("y" * 200_000, ItemBatcher={"MaxItemsPerBatch": 1, "BatchInput": {"all.$": "$"}})
    page(bench, list(range(20)))
    assert bench.living.error == "States.DataLimitExceeded"
    alone = started("y" * 200_000, ItemBatcher={"MaxItemsPerBatch": 1, "BatchInput": {"all.$": "$"}})
    page(alone, ["x" * 100_000])
    assert "the batch 0 of state 'A' has" in str(alone.living.cause)


def test_a_reader_s_error_is_retried_then_caught_and_each_try_begins_anew() -> None:
    retry = [{"ErrorEquals": ["States.ItemReaderFailed"], "IntervalSeconds": 5, "MaxAttempts": 1}]
    catch = [{"ErrorEquals": ["States.ItemReaderFailed"], "Next": "B"}]
    bench = started(states={"A": reading(Retry=retry, Catch=catch), "B": {"Type": "Pass", "End": True}})
    page(bench, ["half of it"], 1)
    bench.fail("States.ItemReaderFailed", "it has changed")
    assert bench.status == "RUNNING"
    assert [type(sent.command) for sent in bench.sent] == [Start, Stop], "the iterations of the first try are stopped"
    bench.fire(5_000)
    assert [job.attempt for job in bench.jobs] == [1, 1, 2]
    assert "Cursor" not in told(bench)[2]
    assert page(bench, ["late"], job=1)
    bench.fail("States.ItemReaderFailed", "still no such file")
    assert bench.status == "SUCCEEDED"
    [caught] = [event for event in bench.history if isinstance(event, e.StateExited) and event.caught]
    assert caught.output == {"Error": "States.ItemReaderFailed", "Cause": "still no such file"}


@pytest.mark.parametrize("answer", [None, [1], {"Items": [1]}, {"Items": 1, "Next": None}, {"Items": [], "Next": "x" * 40_000}])
def test_an_answer_that_is_no_page_fails_the_map(answer: Any) -> None:
    bench = started()
    bench.complete(answer)
    assert (bench.status, bench.living.error) == ("FAILED", "States.ItemReaderFailed")


def test_what_the_reader_is_told_has_room_for_the_cursor() -> None:
    bench = started("x" * 240_000, reader={"Resource": "file:x", "Parameters": {"Key.$": "$"}})
    assert (bench.status, bench.living.error, bench.jobs) == ("FAILED", "States.DataLimitExceeded", [])


def test_a_job_that_cannot_leave_fails_the_map() -> None:
    bench = started()
    bench.do(DispatchFailed(bench.jobs[0].token, "no topic"))
    assert (bench.living.error, bench.living.cause) == ("States.ItemReaderFailed", "the job could not be sent: no topic")


def test_a_page_that_does_not_come_in_time_fails_the_map() -> None:
    bench = started()
    bench.at(1_000)
    page(bench, [1], 1)
    assert bench.due == 1_000 + READ_S * 1000
    bench.fire(1_000 + READ_S * 1000)
    assert (bench.living.error, bench.living.cause) == ("States.ItemReaderFailed", f"a page of the items was not read within {READ_S} s")


def test_a_wrong_concurrency_is_found_before_anything_is_read_and_leaves_nothing_behind() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "B"}]
    states = {"A": reading(MaxConcurrencyPath="$.many", Catch=catch), "B": task("b")}
    bench = started({"many": -1}, states=states)
    assert bench.root.map is None
    assert [job.state for job in bench.jobs] in ([], ["B"])


def test_a_wrong_threshold_is_found_before_anything_is_read() -> None:
    bench = started({"many": -1}, ToleratedFailureCountPath="$.many")
    assert (bench.status, bench.jobs) == ("FAILED", [])
    assert "ToleratedFailureCount cannot be negative" in str(bench.living.cause)


def test_while_the_flow_stands_a_page_waits() -> None:
    bench = started()
    bench.do(Pause())
    assert not page(bench, [1, 2], 1)
    assert page(bench, ["again"]), "one answer is taken"
    assert (len(bench.living.inbox), inputs(bench), len(bench.jobs)) == (1, [], 1)
    bench.do(Resume())
    assert (inputs(bench), len(bench.jobs)) == ([1, 2], 2)


def test_an_error_that_comes_while_the_flow_stands_waits() -> None:
    bench = started()
    bench.hold()
    bench.fail("States.ItemReaderFailed", "gone")
    assert bench.status == "RUNNING"
    bench.lift()
    assert bench.status == "FAILED"


def test_a_redrive_reads_anew() -> None:
    bench = started()
    page(bench, [1], 1)
    bench.do(Stop())
    assert page(bench, [2])
    bench.do(Redrive())
    assert len(bench.jobs) == 3
    assert not page(bench, ["new"])
    assert inputs(bench) == [1, "new"]


def test_many_items_are_started_in_portions_over_the_pages() -> None:
    bench = started()
    page(bench, list(range(150)), 1)
    assert len(inputs(bench)) == 100, "in one decision"
    page(bench, list(range(150, 300)), 2)
    while 0 < bench.due < 60_000:
        bench.fire(bench.due)
    assert inputs(bench) == list(range(300))


def test_a_sign_of_life_of_a_reader_changes_nothing() -> None:
    bench = started()
    assert bench.do(Heartbeat(bench.jobs[0].token)).closed
    assert bench.do(Dispatched(bench.jobs[0].token)).closed


@pytest.mark.parametrize(
    ("reader", "code", "pointer"),
    [
        ({"Resource": "arn:aws:states:::s3:putObject"}, "unknown-resource", "/States/A/ItemReader/Resource"),
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


@pytest.mark.parametrize(
    ("resource", "leads_to"), [(S3, "read:s3:"), ("arn:aws-cn:states:::s3:getObject", "read:s3:"), ("gs://b/k.json", "read:gs://b/k.json")]
)
def test_object_stores_are_read_by_their_own_names_or_as_in_step_functions(resource: str, leads_to: str) -> None:
    bench = started(reader={"Resource": resource})
    assert bench.jobs[0].target.resource == leads_to
