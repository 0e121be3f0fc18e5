"""A distributed Map with a ResultWriter: jobs write its results, a part each, and the manifest at the end."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sfc.engine import events as e
from sfc.engine import writing
from sfc.engine.commands import ChildEnded, Complete, DispatchFailed, Pause, Redrive, Resume, Start, Stop
from sfc.engine.program import Target
from sfc.engine.writing import WAITING_BYTES_MAX, WRITE_S
from sfc.errors import InvalidDocument
from tests.unit.engine.bench import Bench, encode, program_of, task

PROCESSOR = {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "I", "States": {"I": task("a")}}
WRITER = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b", "Prefix": "out"}}
CONFIG = {"OutputType": "JSON", "Transformation": "NONE"}
WHERE = {"Bucket": "b", "Key": "k"}


def writing_map(**fields: Any) -> dict[str, Any]:
    end = {} if "Next" in fields else {"End": True}
    return {"Type": "Map", "ItemProcessor": PROCESSOR, "ResultWriter": WRITER, **end, **fields}


def started(given: Any, states: dict[str, Any] | None = None, more: dict[str, Any] | None = None, **fields: Any) -> Bench:
    bench = Bench(program_of(states or {"A": writing_map(**fields)}, **(more or {})))
    bench.start(given)
    return bench


def ended(bench: Bench, number: int, status: str = "SUCCEEDED", **fields: Any) -> bool:
    """The flow of the iteration tells its end. Whether that was dropped."""
    commands = [sent.command for sent in bench.sent if isinstance(sent.command, Start)]
    parent = commands[number].parent
    assert parent is not None
    return bench.do(ChildEnded(parent.token, status, index=parent.index, **fields)).closed


def told(bench: Bench, job: int = -1) -> dict[str, Any]:
    """What the job was told."""
    found: dict[str, Any] = msgspec.json.decode(bench.jobs[job].value)
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two results make a part."""
    monkeypatch.setattr(writing, "PART_RESULTS", 2)


@pytest.mark.usefixtures("small")
def test_parts_are_written_while_others_run_and_the_manifest_is_last() -> None:
    bench = started([1, 2, 3], ResultPath="$[0]")
    ended(bench, 2, output="c")
    assert bench.jobs == []
    ended(bench, 0, output="a")
    [job] = bench.jobs
    assert job.target == Target("write:s3:", "writer", "t.jobs")
    [begun] = [event for event in bench.history if isinstance(event, e.MapRunStarted)]
    assert begun.writes == {"Parameters": {"Bucket": "b", "Prefix": "out"}, "WriterConfig": CONFIG}
    run = told(bench)["Run"]
    flows = [sent.flow for sent in bench.sent]
    results = [{"Index": 2, "Output": "c", "Flow": flows[2]}, {"Index": 0, "Output": "a", "Flow": flows[0]}]
    assert told(bench) == {
        **begun.writes, "Run": run, "MapRunArn": f"orders/A:{run}", "Status": "SUCCEEDED", "Number": 0, "Results": results
    }  # fmt: skip
    ended(bench, 1, output="b")
    assert (told(bench)["Number"], [one["Output"] for one in told(bench)["Results"]]) == (1, ["b"])
    bench.complete({"Size": 20}, job=1)
    assert len(bench.jobs) == 2, "the manifest waits for all parts"
    bench.complete({"Size": 10}, job=0)
    assert (told(bench)["Status"], told(bench)["Sizes"]) == ("MANIFEST", {"SUCCEEDED": [10, 20]})
    bench.complete(WHERE)
    assert bench.status == "SUCCEEDED"
    [exited] = [event for event in bench.history if isinstance(event, e.StateExited)]
    assert exited.output == [{"MapRunArn": f"orders/A:{run}", "ResultWriterDetails": WHERE}, 2, 3]
    assert len({job.token for job in bench.jobs}) == 3


def test_failures_that_are_tolerated_have_parts_of_their_own() -> None:
    bench = started([1, 2, 3], ToleratedFailureCount=2)
    ended(bench, 0, "FAILED", error="Odd", cause="1 is odd")
    ended(bench, 1, output="b")
    ended(bench, 2, "TIMED_OUT")
    succeeded, failed = told(bench, 0), told(bench, 1)
    assert (succeeded["Status"], failed["Status"], succeeded["Number"], failed["Number"]) == ("SUCCEEDED", "FAILED", 0, 0)
    assert [(one["Index"], one["Error"]) for one in failed["Results"]] == [(0, "Odd"), (2, "States.Timeout")]
    bench.complete({"Size": 2}, job=0)
    bench.complete({"Size": 3}, job=1)
    assert told(bench)["Sizes"] == {"SUCCEEDED": [2], "FAILED": [3]}
    bench.complete(WHERE)
    assert bench.status == "SUCCEEDED"


def test_without_items_there_is_a_manifest_of_nothing() -> None:
    bench = started([])
    assert told(bench)["Sizes"] == {}
    bench.complete(WHERE)
    assert bench.status == "SUCCEEDED"


def test_the_state_does_not_grow_with_the_results() -> None:
    bench = started([0] * 1_500, MaxConcurrency=10, ToleratedFailurePercentage=100)
    assert bench.root.map is not None
    begun, sizes = bench.root.map.size, []
    for number in range(1_400):
        ended(bench, number, "SUCCEEDED" if number % 3 else "FAILED", **({"output": "x" * 1_000} if number % 3 else {"error": "E"}))
        for job in bench.jobs:
            bench.do(Complete(job.token, {"Size": 1}))
        bench.jobs.clear()
        bench.history.clear()
        if number % 100 == 99:
            sizes.append(len(encode(bench.flow)))
            assert bench.root.map.writes is not None
            kept = bench.root.map.writes.filling
            weight = sum(len(encode(result)) for results in kept.values() for result in results)
            assert weight == sum(bench.root.map.writes.filled.values()) == bench.root.map.size - begun
    assert max(sizes) < 220_000


@pytest.mark.usefixtures("small")
def test_no_iteration_starts_while_too_much_waits_to_be_written() -> None:
    bench = started(list(range(40)), MaxConcurrency=8)
    for number in range(8):
        ended(bench, number, output="x" * 200_000)
    assert WAITING_BYTES_MAX < 8 * 200_000
    begun = len(bench.sent)
    assert begun < 16
    bench.complete({"Size": 1}, job=0)
    bench.complete({"Size": 1}, job=1)
    bench.complete({"Size": 1}, job=2)
    assert len(bench.sent) > begun


def test_results_that_come_faster_than_they_are_written_fail_the_map() -> None:
    bench = started(list(range(40)))
    for number in range(20):
        if bench.status == "RUNNING":
            ended(bench, number, output="x" * 250_000)
    assert bench.living.error == "States.DataLimitExceeded"
    assert "give the Map a lower MaxConcurrency" in str(bench.living.cause)


@pytest.mark.parametrize("size", [300, 4_096, 20_000])
def test_a_writer_that_is_slow_holds_iterations_up_and_fails_nothing(size: int) -> None:
    bench = started(list(range(600)))
    at_ms = done = written = 0

    def end_all() -> None:
        """Lets start what may, and has it end, until nothing starts any more."""
        nonlocal at_ms, done
        while bench.status == "RUNNING":
            while bench.status == "RUNNING" and bench.living.yielded_ms:
                at_ms += 5
                bench.fire(at_ms)
            begun = sum(isinstance(sent.command, Start) for sent in bench.sent)
            if begun == done:
                return
            for number in range(done, begun):
                ended(bench, number, output="x" * size)
            done = begun

    end_all()
    while bench.status == "RUNNING":
        bench.complete(WHERE if told(bench, written)["Status"] == "MANIFEST" else {"Size": 1}, job=written)
        written += 1
        end_all()
    assert (bench.status, done) == ("SUCCEEDED", 600)


@pytest.mark.parametrize("answer", [None, {"Size": "2"}, {"Size": -1}, {}, {"Key": "k"}])
def test_an_answer_that_is_none_fails_the_map(answer: Any) -> None:
    bench = started([1])
    ended(bench, 0)
    bench.complete(answer)
    assert (bench.status, bench.living.error) == ("FAILED", "States.ResultWriterFailed")


def test_a_writer_s_error_is_retried_then_caught() -> None:
    retry = [{"ErrorEquals": ["States.ResultWriterFailed"], "IntervalSeconds": 5, "MaxAttempts": 1}]
    catch = [{"ErrorEquals": ["States.ResultWriterFailed"], "Next": "B"}]
    bench = started([1], states={"A": writing_map(Retry=retry, Catch=catch), "B": {"Type": "Pass", "End": True}})
    ended(bench, 0)
    bench.fail("States.ResultWriterFailed", "no room")
    first = told(bench)["Run"]
    bench.fire(5_000)
    ended(bench, 1)
    assert told(bench)["Run"] != first, "what the first try has written is not written over"
    assert bench.do(Complete(bench.jobs[0].token, {"Size": 1})).closed
    bench.do(DispatchFailed(bench.jobs[1].token, "no topic"))
    assert bench.status == "SUCCEEDED"
    [caught] = [event for event in bench.history if isinstance(event, e.StateExited) and event.caught]
    assert caught.output == {"Error": "States.ResultWriterFailed", "Cause": "the job could not be sent: no topic"}


@pytest.mark.usefixtures("small")
def test_parts_that_are_not_written_in_time_fail_the_map() -> None:
    bench = started([1, 2, 3, 4, 5])
    for number in range(4):
        ended(bench, number)
    assert len(bench.jobs) == 2
    bench.at(10_000)
    bench.complete({"Size": 1}, job=0)
    assert bench.due == 10_000 + WRITE_S * 1000, "of the part that is still open"
    bench.complete({"Size": 1}, job=1)
    assert bench.due < 0
    ended(bench, 4)
    bench.fire(10_000 + WRITE_S * 1000)
    assert (bench.living.error, bench.living.cause) == (
        "States.ResultWriterFailed",
        f"no part of the results was written within {WRITE_S} s",
    )


def test_while_the_flow_stands_nothing_is_written_and_answers_wait() -> None:
    bench = started([1, 2])
    ended(bench, 0, output="a")
    bench.do(Pause())
    ended(bench, 1, output="b")
    assert bench.jobs == []
    bench.do(Resume())
    assert len(told(bench)["Results"]) == 2
    bench.do(Pause())
    bench.complete({"Size": 2})
    assert len(bench.jobs) == 1
    bench.do(Resume())
    bench.complete(WHERE)
    assert bench.status == "SUCCEEDED"


def test_a_redrive_begins_anew() -> None:
    bench = started([1])
    ended(bench, 0)
    run = told(bench)["Run"]
    bench.do(Stop())
    bench.do(Redrive())
    ended(bench, 1)
    assert told(bench)["Run"] != run
    bench.complete({"Size": 1})
    bench.complete(WHERE)
    assert bench.status == "SUCCEEDED"


def test_the_threshold_is_judged_before_the_manifest_is_written() -> None:
    reader = {"Resource": "file:x"}
    bench = started(None, ItemReader=reader, ToleratedFailurePercentage=40)
    bench.complete({"Items": [1, 2], "Next": 2})
    ended(bench, 0, "FAILED", error="E")
    ended(bench, 1)
    bench.complete({"Items": [], "Next": None})
    assert bench.living.error == "States.ExceedToleratedFailureThreshold"


def test_what_the_writer_is_told_is_made_when_the_map_begins() -> None:
    bench = started({"l": [1]}, ItemsPath="$.l", ResultWriter={"Resource": "file:out", "Parameters": {"Prefix.$": "$.nowhere"}})
    assert (bench.status, bench.sent) == ("FAILED", [])
    made = started(
        {"l": [1], "p": "day"}, ItemsPath="$.l", ResultWriter={"Resource": "file:out", "Parameters": {"Prefix.$": "$.p"}}, Label="L"
    )
    ended(made, 0)
    assert (made.jobs[0].target.resource, told(made)["Parameters"]) == ("write:file:out", {"Prefix": "day"})
    assert told(made)["MapRunArn"].startswith("orders/L:")


def test_jsonata_says_where_the_results_go() -> None:
    writer = {
        "Resource": "file:out",
        "Arguments": {"Prefix": "{% $states.input.p %}"},
        "WriterConfig": {"OutputType": "JSONL", "Transformation": "COMPACT"},
    }
    bench = started({"l": [1], "p": "day"}, more={"QueryLanguage": "JSONata"}, ResultWriter=writer, Items="{% $states.input.l %}")
    ended(bench, 0)
    assert told(bench)["Parameters"] == {"Prefix": "day"}
    assert told(bench)["WriterConfig"] == {"OutputType": "JSONL", "Transformation": "COMPACT"}


@pytest.mark.parametrize(("transformation", "result"), [("FLATTEN", [1, 2, 3, {"a": [4]}]), ("COMPACT", [[1, 2], 3, {"a": [4]}])])
def test_without_a_resource_the_results_stay_in_the_state(transformation: str, result: Any) -> None:
    config = {"OutputType": "JSON", "Transformation": transformation}
    bench = started([0, 1, 2, 3], ResultWriter={"WriterConfig": config}, ToleratedFailureCount=1)
    for number, output in enumerate([[1, 2], 3, {"a": [4]}]):
        ended(bench, number, output=output)
    ended(bench, 3, "FAILED")
    assert bench.jobs == []
    [over] = [event for event in bench.history if isinstance(event, e.MapRunSucceeded)]
    assert (over.result, bench.status) == (result, "SUCCEEDED")


@pytest.mark.parametrize(
    ("writer", "code", "pointer"),
    [
        ({"Resource": "task:a@1"}, "unknown-resource", "/States/A/ResultWriter/Resource"),
        ({"Resource": "arn:aws:states:::s3:getObject"}, "unknown-resource", "/States/A/ResultWriter/Resource"),
        ({"WriterConfig": {"Transformation": "NONE"}}, "not-yet", "/States/A/ResultWriter/WriterConfig/Transformation"),
        ({"Resource": "topic:x", "WriterConfig": {"OutputType": "JSON"}}, "bad-value", "/States/A/ResultWriter/WriterConfig/OutputType"),
    ],
)
def test_a_writer_that_nothing_runs_is_refused(writer: dict[str, Any], code: str, pointer: str) -> None:
    with pytest.raises(InvalidDocument) as raised:
        program_of({"A": writing_map(ResultWriter=writer)})
    assert [(p.code, p.pointer) for p in raised.value.problems] == [(code, pointer)]
