"""A distributed Map: iterations are flows; the Map's own flow counts them, keeps results, and fails by its thresholds."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.engine.commands import ChildEnded, HoldChild, Origin, Parent, Pause, Redrive, Resume, Start, Stop
from sfc.engine.effects import SendCommand
from sfc.engine.events import ChildStarted
from sfc.engine.flow import items_of
from tests.unit.engine.bench import FLOW, Bench, encode, program_of, task

PROCESSOR = {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "I", "States": {"I": task("a")}}


def spread(**fields: Any) -> dict[str, Any]:
    return {"Type": "Map", "ItemProcessor": PROCESSOR, **({} if "Next" in fields else {"End": True}), **fields}


def started(given: Any, states: dict[str, Any] | None = None, **fields: Any) -> Bench:
    bench = Bench(program_of(states or {"A": spread(**fields)}))
    bench.start(given)
    return bench


def starts(bench: Bench) -> list[SendCommand]:
    return [sent for sent in bench.sent if isinstance(sent.command, Start)]


def inputs(bench: Bench) -> list[Any]:
    return [sent.command.input for sent in starts(bench) if isinstance(sent.command, Start)]


def ended(bench: Bench, number: int, status: str = "SUCCEEDED", **fields: Any) -> bool:
    """The report of so many-th flow that was started. Whether it was dropped."""
    command = starts(bench)[number].command
    assert isinstance(command, Start)
    assert command.parent is not None
    return bench.do(ChildEnded(command.parent.token, status, index=command.parent.index, **fields)).closed


def test_each_item_starts_a_flow_of_the_same_version_that_runs_the_processor() -> None:
    bench = started([10, 20])
    first, second = starts(bench)
    assert (first.flow, second.flow) == ("orders:orders:1.100.3-0", "orders:orders:1.100.3-1")
    subjects = ("blueprint:orders", "version:orders@1")
    assert first.command == Start(
        "orders", 1, "h", 10, origin=Origin("map", "A", flow=FLOW), parent=Parent(FLOW, f"{FLOW}/100/3/map", 1, subjects, 0), entry="A"
    )
    assert [type(event).__name__ for event in bench.history[2:]] == ["MapRunStarted", "ChildStarted", "ChildStarted"]
    assert bench.jobs == []


def test_results_are_in_the_order_of_the_items_whatever_the_order_of_the_ends() -> None:
    bench = started({"items": [1, 2, 3]}, ItemsPath="$.items", ResultPath="$.out")
    for number in (2, 0, 1):
        assert not ended(bench, number, output={"n": number})
    assert bench.status == "SUCCEEDED"
    assert bench.history[-2].output == {"items": [1, 2, 3], "out": [{"n": 0}, {"n": 1}, {"n": 2}]}  # type: ignore[union-attr]
    assert ended(bench, 0), "what comes again is dropped"


def test_no_items_is_no_flows() -> None:
    bench = started([])
    assert (bench.status, bench.sent) == ("SUCCEEDED", [])


def test_items_are_selected_and_batched() -> None:
    bench = started(
        {"rows": [1, 2, 3], "shop": "s"},
        ItemsPath="$.rows",
        ItemSelector={"shop.$": "$.shop", "row.$": "$$.Map.Item.Value"},
        ItemBatcher={"MaxItemsPerBatch": 2, "BatchInput": {"of.$": "$.shop"}},
    )
    one, two, three = ({"shop": "s", "row": row} for row in (1, 2, 3))
    assert inputs(bench) == [{"BatchInput": {"of": "s"}, "Items": [one, two]}, {"BatchInput": {"of": "s"}, "Items": [three]}]


def test_so_many_are_at_work_at_once() -> None:
    bench = started([1, 2, 3], MaxConcurrency=2)
    assert inputs(bench) == [1, 2]
    ended(bench, 1)
    assert inputs(bench) == [1, 2, 3]
    assert bench.root.map is not None
    assert bench.root.map.open == [0, 2]


def test_many_are_started_in_portions_and_a_thousand_are_at_work_at_most() -> None:
    bench = started(list(range(1_200)))
    assert len(starts(bench)) == 100
    at_ms = 0
    while bench.due > 0:
        at_ms = bench.due
        bench.fire(at_ms)
    assert len(starts(bench)) == 1_000
    for number in range(1_000):
        ended(bench, number)
    assert len(starts(bench)) == 1_200
    for number in range(1_000, 1_200):
        ended(bench, number)
    assert bench.status == "SUCCEEDED"
    numbers = [event.index for event in bench.history if isinstance(event, ChildStarted)]
    assert numbers == list(range(1_200))


def test_without_a_tolerance_the_first_failure_ends_it_and_stops_the_others() -> None:
    bench = started([1, 2, 3])
    ended(bench, 1, "FAILED", error="Broken", cause="why")
    assert (bench.status, bench.living.error) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    assert [sent.flow[-2:] for sent in bench.sent if isinstance(sent.command, Stop)] == ["-0", "-2"]
    assert ended(bench, 0), "a report that comes too late is dropped"


@pytest.mark.parametrize(
    ("fields", "failing", "status"),
    [
        ({"ToleratedFailureCount": 1}, [0], "SUCCEEDED"),
        ({"ToleratedFailureCount": 1}, [0, 1], "FAILED"),
        ({"ToleratedFailurePercentage": 50}, [0, 1], "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 49}, [0, 1], "FAILED"),
        ({"ToleratedFailurePercentage": 100, "ToleratedFailureCount": 1}, [0, 1], "FAILED"),
    ],
)
def test_failures_are_tolerated(fields: dict[str, Any], failing: list[int], status: str) -> None:
    bench = started([0, 1, 2, 3], **fields)
    for number in range(4):
        if bench.status == "RUNNING":
            ended(bench, number, "FAILED" if number in failing else "SUCCEEDED", output=number)
    assert bench.status == status
    if status == "SUCCEEDED":
        assert bench.history[-2].kind == "Map"  # type: ignore[union-attr]


def test_a_threshold_can_be_caught_and_retried() -> None:
    retry = [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Z"}]
    bench = started([1], {"A": spread(Retry=retry, Catch=catch), "Z": task("b")})
    ended(bench, 0, "TIMED_OUT")
    bench.fire(1_000)
    ended(bench, 1, "ABORTED")
    assert bench.root.state == "Z"
    assert starts(bench)[0].flow != starts(bench)[1].flow


def test_results_that_are_too_many_bytes_fail_it() -> None:
    bench = started(list(range(20)))
    for number in range(13):
        if bench.status == "RUNNING":
            ended(bench, number, output="x" * 262_000)
    assert (bench.status, bench.living.error) == ("FAILED", "States.DataLimitExceeded")


def test_reports_are_recorded_while_the_flow_stands_and_followed_when_it_goes_on() -> None:
    bench = started([1, 2, 3], MaxConcurrency=2, ToleratedFailureCount=1)
    held = [sent for sent in bench.do(Pause()).effects if isinstance(sent, SendCommand)]
    assert [sent.command for sent in held] == [HoldChild(True)] * 2
    ended(bench, 0, output="a")
    ended(bench, 1, "FAILED", error="E")
    assert bench.root.map is not None
    assert (bench.root.map.open, bench.root.map.failed, bench.living.inbox) == ([], [1], [])
    assert len(starts(bench)) == 2
    bench.do(Resume())
    assert len(starts(bench)) == 3
    ended(bench, 2, output="c")
    assert bench.status == "SUCCEEDED"


def test_a_failure_that_ends_it_waits_until_the_flow_goes_on() -> None:
    bench = started([1, 2])
    bench.do(Pause())
    ended(bench, 0, "FAILED", error="E")
    assert (bench.status, len(bench.living.inbox)) == ("RUNNING", 1)
    effects = bench.do(Resume()).effects
    assert bench.status == "FAILED"
    assert [sent.flow[-2:] for sent in effects if isinstance(sent, SendCommand)] == ["-1"], "the one that failed hears nothing"


def test_the_last_ends_while_the_flow_stands() -> None:
    bench = started([1])
    bench.hold()
    ended(bench, 0, output="a")
    assert bench.status == "RUNNING"
    bench.lift()
    assert bench.status == "SUCCEEDED"


def test_a_stop_stops_all_and_a_redrive_begins_anew() -> None:
    bench = started([1, 2])
    bench.do(Stop())
    assert len([sent for sent in bench.sent if isinstance(sent.command, Stop)]) == 2
    bench.do(Redrive("r"))
    assert inputs(bench) == [1, 2, 1, 2]
    assert len({sent.flow for sent in starts(bench)}) == 4


def test_what_is_stopped_half_way_through_its_portions_starts_no_more() -> None:
    bench = started(list(range(150)))
    bench.do(Stop())
    assert bench.due > 1_000, "only its end as a kept flow is due"
    assert len([sent for sent in bench.sent if isinstance(sent.command, Stop)]) == 100


def test_beside_other_branches() -> None:
    branches = [{"StartAt": "M", "States": {"M": spread()}}, {"StartAt": "T", "States": {"T": task("b")}}]
    bench = started([1], {"A": {"Type": "Parallel", "Branches": branches, "End": True}})
    ended(bench, 0, output="m")
    bench.complete("t")
    assert bench.status == "SUCCEEDED"
    again = started([1], {"A": {"Type": "Parallel", "Branches": branches, "End": True}})
    again.fail()
    assert [type(sent.command) for sent in again.sent] == [Start, Stop]


def test_an_iteration_runs_the_processor_alone() -> None:
    bench = Bench(program_of({"A": spread(), "B": task("b")}, TimeoutSeconds=5, Sfc={"Retention": {"Ids": "P1D"}}))
    bench.start(7, entry="A", parent=Parent("orders:0", "t", 1, (), 4))
    assert bench.root.state == "I"
    assert bench.jobs[0].value == b"7"
    assert bench.living.due_ms == 0, "the machine's timeout is the whole machine's"
    bench.complete("out")
    assert bench.sent == [SendCommand("orders:0", ChildEnded("t", "SUCCEEDED", "out", index=4))]
    assert bench.living.due_ms == 0, "no stub is kept of an iteration"


def test_a_map_that_is_not_there_is_not_run() -> None:
    bench = Bench(program_of({"A": spread(), "B": task("b")}))
    bench.start(7, entry="B", parent=Parent("orders:0", "t", 1, (), 4))
    assert bench.flow is None
    (sent,) = bench.sent
    assert isinstance(sent.command, ChildEnded)
    assert (sent.command.error, sent.command.index) == ("SFC.ChildNotStarted", 4)


def test_items_that_are_the_input_are_kept_once() -> None:
    bench = started([{"n": n} for n in range(3)])
    assert b"items" not in encode(bench.living)
    assert len(items_of(bench.root)) == 3


def test_results_that_are_too_many_bytes_fail_a_map_that_stood_whatever_it_tolerates() -> None:
    bench = started(list(range(13)), ToleratedFailurePercentage=100)
    bench.do(Pause())
    for number in range(13):
        ended(bench, number, output="x" * 260_000)
    bench.do(Resume())
    assert (bench.status, bench.living.error) == ("FAILED", "States.DataLimitExceeded")


def test_one_end_of_an_iteration_is_taken_while_the_flow_stands() -> None:
    bench = started([1, 2])
    bench.do(Pause())
    assert not ended(bench, 0, "FAILED", error="Broken")
    assert ended(bench, 0, "FAILED", error="Broken")
    assert ended(bench, 0, output=1), "redriven, the iteration succeeds too late"
    bench.do(Resume())
    assert (bench.status, bench.living.error) == ("FAILED", "States.ExceedToleratedFailureThreshold")
