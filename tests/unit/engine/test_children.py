"""``blueprint:`` states: the child's start, its end as the answer, and what happens to a child whose parent stands or ends."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.engine.commands import ChildEnded, Complete, Fail, Heartbeat, HoldChild, Origin, Parent, Pause, Redrive, Resume, Start, Stop
from sfc.engine.decide import decide
from sfc.engine.effects import SendCommand
from sfc.engine.events import TaskScheduled, TaskSucceeded
from sfc.engine.shard import HoldRecord
from tests.unit.engine.bench import FLOW, T0, Bench, program_of, task

PARENT = Parent("up:1", "up:1/7/3/abc", 1, ("blueprint:up", "version:up@4", "group:retail"))


def child(name: str = "pay", **fields: Any) -> dict[str, Any]:
    return task("a", **fields) | {"Resource": f"blueprint:{name}@2"}


def bench_of(states: dict[str, Any], **more: Any) -> Bench:
    return Bench(program_of(states, blueprints={"pay@2": "h-pay", "ship@2": "h-ship"}, **more))


def started(states: dict[str, Any], **more: Any) -> Bench:
    bench = bench_of(states, **more)
    bench.start({"n": 1}, traceparent="00-trace")
    return bench


def two() -> dict[str, Any]:
    """A child and a job side by side."""
    branches = [{"StartAt": "X", "States": {"X": child()}}, {"StartAt": "Y", "States": {"Y": task("b")}}]
    return {"A": {"Type": "Parallel", "Branches": branches, "End": True}}


def ended(bench: Bench, status: str = "SUCCEEDED", child_number: int = 0, **fields: Any) -> bool:
    """The child's report. Whether it came too late."""
    start = [sent.command for sent in bench.sent if isinstance(sent.command, Start)][child_number]
    assert start.parent is not None
    return bench.do(ChildEnded(start.parent.token, status, **fields)).closed


def test_a_child_is_started_with_an_id_of_its_parents_and_all_that_holds_it() -> None:
    bench = started({"A": child(Parameters={"m.$": "$.n"})}, Sfc={"Group": "retail"})
    (sent,) = bench.sent
    assert sent.flow == "pay:orders:1.100.3"
    token = bench.root.token
    assert sent.command == Start(
        "pay", 2, "h-pay", {"m": 1}, origin=Origin("flow", flow=FLOW), traceparent="00-trace",
        parent=Parent(FLOW, token, 1, ("blueprint:orders", "version:orders@1", "group:retail")),
    )  # fmt: skip
    scheduled = next(event for event in bench.history if isinstance(event, TaskScheduled))
    assert (scheduled.child, scheduled.task, scheduled.due_ms) == (sent.flow, "blueprint:pay@2", 0)
    assert bench.jobs == []


def test_an_id_that_would_be_too_long_is_hashed() -> None:
    bench = bench_of({"A": child()})
    bench.flow_id = f"orders:{'x' * 190}"
    bench.start()
    assert len(bench.sent[0].flow) == len("pay:") + 40


def test_its_output_is_the_states_result() -> None:
    bench = started({"A": child(ResultPath="$.paid")})
    assert not ended(bench, output={"ok": True})
    assert bench.status == "SUCCEEDED"
    assert len(bench.sent) == 1, "a child that has ended is not stopped"
    assert ended(bench, output={"ok": True}), "a second report comes too late"


@pytest.mark.parametrize(
    ("told", "error", "cause"),
    [
        ({"status": "FAILED", "error": "Declined", "cause": "no money"}, "Declined", "no money"),
        ({"status": "FAILED"}, None, None),
        ({"status": "TIMED_OUT"}, "States.Timeout", "the child flow pay:orders:1.100.3 ran longer than its TimeoutSeconds"),
        ({"status": "ABORTED"}, "SFC.ChildAborted", "the child flow pay:orders:1.100.3 was stopped"),
        ({"status": "ABORTED", "error": "Mine", "cause": "why"}, "Mine", "why"),
    ],
)
def test_its_failure_is_the_states_error(told: dict[str, Any], error: str | None, cause: str | None) -> None:
    bench = started({"A": child()})
    ended(bench, **told)
    assert (bench.status, bench.living.error, bench.living.cause) == ("FAILED", error, cause)


def test_a_retry_starts_another_child_and_a_redrive_too() -> None:
    retry = [{"ErrorEquals": ["Declined"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    bench = started({"A": child(Retry=retry)})
    ended(bench, "FAILED", error="Declined")
    bench.fire(1_000)
    ended(bench, "FAILED", child_number=1, error="Declined")
    assert bench.status == "FAILED"
    bench.do(Redrive("r"))
    ids = [sent.flow for sent in bench.sent]
    assert len(set(ids)) == 3
    assert ended(bench, child_number=0, output="too late")
    assert not ended(bench, child_number=2, output="in time")
    assert bench.status == "SUCCEEDED"


def stops(bench: Bench) -> list[str]:
    return [sent.flow for sent in bench.sent if isinstance(sent.command, Stop)]


def test_a_child_that_is_not_awaited_any_more_is_stopped() -> None:
    stopped = started({"A": child()})
    stopped.do(Stop())
    late = started({"A": child(TimeoutSeconds=5)})
    late.fire(5_000)
    failed = started(two())
    failed.fail("Broken")
    caught = started({"A": two()["A"] | {"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z"}]}, "Z": task("c")})
    caught.fail("Broken")
    machine = started({"A": child()}, TimeoutSeconds=9)
    machine.fire(9_000)
    for bench in (stopped, late, failed, caught, machine):
        assert stops(bench) == ["pay:orders:1.100.3" if bench in (stopped, late, machine) else bench.sent[0].flow]
    start = late.sent[0].command
    assert isinstance(start, Start)
    assert start.parent is not None
    cause = "the flow orders:1, which started it, does not wait for it any more"
    assert late.sent[-1].command == Stop("SFC.ParentEnded", cause, child_of=start.parent.token)


@pytest.mark.parametrize("parent", [None, Parent("up:1", "up:1/7/9/other")])
def test_a_flow_with_the_childs_id_that_is_somebody_elses_is_not_stopped(parent: Parent | None) -> None:
    bench = Bench(program_of({"A": task("a")}))
    bench.start(parent=parent)
    bench.do(Stop("SFC.ParentEnded", "", child_of=PARENT.token))
    assert bench.status == "RUNNING"
    mine = Bench(program_of({"A": task("a")}))
    mine.start(parent=PARENT)
    mine.do(Stop("SFC.ParentEnded", "", child_of=PARENT.token))
    assert mine.status == "ABORTED"


def test_a_child_started_and_given_up_in_one_decision_is_stopped_behind_its_start() -> None:
    states = two()
    states["A"]["Branches"][1]["States"]["Y"] = {"Type": "Fail", "Error": "Never"}
    bench = started(states)
    assert bench.status == "FAILED"
    assert [type(sent.command) for sent in bench.sent] == [Start, Stop]


def test_a_flows_own_pause_is_its_childrens() -> None:
    bench = started(two())
    held = bench.do(Pause()).effects
    assert held == [SendCommand(bench.sent[0].flow, HoldChild(True))]
    assert bench.do(Pause()).effects == [], "it was paused already"
    assert bench.do(Resume()).effects == [SendCommand(bench.sent[0].flow, HoldChild(False))]


def test_a_report_is_kept_while_the_parent_stands_and_its_child_hears_no_more() -> None:
    bench = started({"A": child(Next="B"), "B": child("ship")})
    bench.do(Pause())
    ended(bench, output=1)
    assert bench.root.state == "A"
    effects = bench.do(Resume()).effects
    assert [sent.flow.partition(":")[0] for sent in effects if isinstance(sent, SendCommand)] == ["ship"]


# -- seen by the child


def young(states: dict[str, Any] | None = None) -> Bench:
    bench = bench_of(states or {"A": task("a", TimeoutSeconds=60)})
    bench.start({"n": 1}, parent=PARENT)
    return bench


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (lambda b: b.complete("out"), ChildEnded(PARENT.token, "SUCCEEDED", "out")),
        (lambda b: b.fail("Bad", "why"), ChildEnded(PARENT.token, "FAILED", None, "Bad", "why")),
        (lambda b: b.do(Stop("E", "C")), ChildEnded(PARENT.token, "ABORTED", None, "E", "C")),
    ],
)
def test_a_child_reports_its_end(end: Any, told: ChildEnded) -> None:
    bench = young()
    end(bench)
    assert bench.sent == [SendCommand("up:1", told)]


def test_a_child_that_times_out_reports_so() -> None:
    bench = bench_of({"A": task("a")}, TimeoutSeconds=5)
    bench.start(parent=PARENT)
    bench.fire(5_000)
    assert bench.sent == [SendCommand("up:1", ChildEnded(PARENT.token, "TIMED_OUT"))]


def test_a_child_that_can_not_be_started_reports_why() -> None:
    missing = Bench(None)
    missing.start(parent=PARENT)
    (sent,) = missing.sent
    assert isinstance(sent.command, ChildEnded)
    assert (sent.command.error, sent.command.cause) == ("SFC.ChildNotStarted", "orders@1 is not known")
    taken = bench_of({"A": task("a")})
    taken.start()
    taken.start(parent=PARENT)
    (sent,) = taken.sent
    assert isinstance(sent.command, ChildEnded)
    assert "was started at offset 100" in str(sent.command.cause)


def test_a_child_with_too_large_an_input_reports_so() -> None:
    bench = bench_of({"A": task("a")})
    bench.start("x" * 262_144, parent=PARENT)
    (sent,) = bench.sent
    assert isinstance(sent.command, ChildEnded)
    assert sent.command.error == "States.DataLimitExceeded"


def test_a_held_child_keeps_answers_and_its_timers_stand() -> None:
    bench = young({"A": task("a", TimeoutSeconds=60, Next="B"), "B": task("b")})
    bench.at(10_000)
    bench.do(HoldChild(True))
    bench.do(HoldChild(True))
    assert bench.names(1) == ["ExecutionPaused"]
    bench.at(30_000)
    bench.complete("a's")
    assert len(bench.jobs) == 1
    bench.fire(100_000)
    assert bench.status == "RUNNING"
    bench.do(HoldChild(False))
    assert bench.root.state == "B"
    assert bench.living.held_since_ms == 0


def test_timers_move_by_the_time_that_the_parent_stood() -> None:
    bench = young()
    bench.at(10_000)
    bench.do(HoldChild(True))
    bench.at(25_000)
    bench.do(HoldChild(False))
    assert bench.due == 75_000


def test_a_child_that_is_paused_itself_too_goes_on_when_both_are_lifted() -> None:
    bench = young()
    for first, second in (((Resume(),), (HoldChild(False),)), ((HoldChild(False),), (Resume(),))):
        bench.do(HoldChild(True))
        bench.do(Pause())
        bench.do(first[0])
        assert bench.living.held_since_ms
        bench.do(second[0])
        assert not bench.living.held_since_ms


def test_a_hold_is_passed_on_to_the_children_of_a_child() -> None:
    bench = young({"A": child()})
    assert bench.do(HoldChild(True)).effects == [SendCommand(bench.sent[0].flow, HoldChild(True))]
    start = bench.sent[0].command
    assert isinstance(start, Start)
    assert start.parent is not None
    assert start.parent.depth == 2
    assert start.parent.subjects == ("blueprint:up", "version:up@4", "group:retail", "blueprint:orders", "version:orders@1")
    assert bench.do(Pause()).effects == [], "they are held already"
    assert bench.do(HoldChild(False)).effects == [], "they still are"
    assert bench.do(Resume()).effects == [SendCommand(bench.sent[0].flow, HoldChild(False))]


@pytest.mark.parametrize("subject", PARENT.subjects)
def test_what_holds_the_flow_above_holds_the_child(subject: str) -> None:
    bench = bench_of({"A": task("a")})
    bench.hold(subject)
    bench.start(parent=PARENT)
    assert bench.jobs == []
    bench.lift(subject)
    assert len(bench.jobs) == 1


def test_nesting_has_a_limit() -> None:
    bench = bench_of({"A": child()})
    bench.start(parent=Parent("up:1", "t", 20))
    assert bench.living.error == "SFC.ChildTooDeep"
    assert [type(sent.command) for sent in bench.sent] == [ChildEnded]


def test_a_decision_that_breaks_down_still_tells_the_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = young()

    def breaks(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("sfc.engine.outcomes.take", breaks)
    bench.complete(1)
    (sent,) = bench.sent
    assert isinstance(sent.command, ChildEnded)
    assert (sent.command.status, sent.command.error) == ("FAILED", "States.Runtime")


def test_a_hold_of_the_shard_needs_no_word_to_children() -> None:
    bench = started({"A": child()})
    bench.shard.holds["blueprint:orders"] = HoldRecord(1, True, T0)
    decision = decide(bench.program, bench.living, Pause(), bench.shard, 200, FLOW)
    assert decision.effects == [SendCommand(bench.sent[0].flow, HoldChild(True))], "its own pause does"


@pytest.mark.parametrize("resource", ["blueprint:pay@2", "task:a@1"])
def test_an_input_that_is_nested_too_deep_is_handed_to_nobody(resource: str) -> None:
    """Its record could not be read, and nobody would ever answer."""
    given: list[Any] = []
    for _ in range(197):
        given = [given]
    for levels, status in ((2, "RUNNING"), (3, "FAILED")):
        bench = bench_of({"A": task("a", Resource=resource, Parameters={"x": {"y.$": "$"} if levels == 2 else {"y": {"z.$": "$"}}})})
        bench.start(given)
        assert (bench.status, len(bench.sent) + len(bench.jobs)) == (status, int(status == "RUNNING"))
    assert bench.living.error == "States.DataLimitExceeded"


@pytest.mark.parametrize("held", [False, True])
def test_only_a_childs_end_answers_its_job(held: bool) -> None:
    bench = started({"A": child()})
    token = bench.root.token
    if held:
        bench.do(Pause())
    for said in (Complete(token, {"by": "a stranger"}), Fail(token, "Odd", None), Heartbeat(token)):
        assert bench.do(said).closed
    if held:
        bench.do(Resume())
    assert bench.status == "RUNNING"
    assert not ended(bench, output={"ok": True})
    outputs = [event.output for event in bench.history if isinstance(event, TaskSucceeded)]
    assert (bench.status, outputs) == ("SUCCEEDED", [{"ok": True}])
