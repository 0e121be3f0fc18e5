"""``signal:NAME`` states: the wait, signals that come early, late, twice, or while the flow stands."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.engine.commands import Heartbeat, Pause, Redrive, ReplyTo, Resume, Signal, Stop
from sfc.engine.events import SignalReceived, TaskScheduled, TaskSucceeded
from tests.unit.engine.bench import Bench, program_of, task

TO = ReplyTo("replies", "me", "1")


def wait(name: str = "go", **fields: Any) -> dict[str, Any]:
    return task("a", **fields) | {"Resource": f"signal:{name}"}


def bench_of(states: dict[str, Any], **more: Any) -> Bench:
    bench = Bench(program_of(states, **more))
    bench.start({"n": 1}, wait=ReplyTo("replies", "end", "2"))
    return bench


def tell(bench: Bench, name: str = "go", output: Any = None, **fields: Any) -> str:
    """Signals and returns the verdict's detail, or its status where there is none."""
    before = len(bench.replies)
    bench.do(Signal(name, output, reply=TO, **fields))
    verdict = next(reply for reply in bench.replies[before:] if reply.to == TO)
    return verdict.detail or verdict.status


def test_a_wait_takes_its_signal_and_goes_on_with_its_output() -> None:
    bench = bench_of({"A": wait(ResultPath="$.got")})
    assert bench.jobs == [], "nothing leaves"
    assert bench.names(2) == ["TaskStateEntered", "TaskScheduled"]
    assert bench.due < 0, "without a TimeoutSeconds it waits for ever"
    assert tell(bench, output={"by": "ada"}, by="ada") == "done"
    assert bench.output == {"n": 1, "got": {"by": "ada"}}
    assert bench.names()[3:] == ["SignalReceived", "TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"]
    received = next(event for event in bench.history if isinstance(event, SignalReceived))
    assert (received.by, received.output, received.kept) == ("ada", None, False), "the payload is told once, by the TaskSucceeded"


def test_a_signal_before_its_state_is_kept_and_taken_in_the_order_of_coming() -> None:
    bench = bench_of({"A": task("a", Next="B"), "B": wait(Next="C"), "C": wait(Next="D"), "D": task("b")})
    assert tell(bench, output=1) == "done"
    assert tell(bench, output=2) == "done"
    assert [signal.output for signal in bench.living.signals] == [1, 2]
    bench.complete("a's")
    assert bench.root.state == "D"
    assert bench.root.data == 2
    assert bench.living.signals == []
    succeeded = [event for event in bench.history if isinstance(event, TaskSucceeded)]
    assert len(succeeded) == 3


def test_an_error_fails_the_wait_early_or_in_time() -> None:
    catch = [{"ErrorEquals": ["Refused"], "Next": "Z"}]
    states = {"A": wait(Catch=catch, Next="B"), "B": task("b", Next="C"), "C": wait("late", Catch=catch), "Z": task("c", Next="B")}
    bench = bench_of(states)
    tell(bench, error="Refused", cause="no stock")
    assert bench.root.data == {"Error": "Refused", "Cause": "no stock"}
    tell(bench, "late", error="Refused", cause="too late")
    bench.complete({})
    bench.complete({})
    assert bench.root.state == "Z"
    assert bench.root.data == {"Error": "Refused", "Cause": "too late"}
    assert bench.names(4) == ["TaskFailed", "TaskStateExited", "TaskStateEntered", "TaskScheduled"]


def test_the_oldest_of_several_waits_gets_it() -> None:
    branches: list[Any] = [{"StartAt": name, "States": {name: wait()}} for name in ("X", "Y")]
    retry = [{"ErrorEquals": ["Again"], "IntervalSeconds": 1}]
    branches[0]["States"]["X"]["Retry"] = retry
    bench = bench_of({"A": {"Type": "Parallel", "Branches": branches, "End": True}})
    tell(bench, error="Again")  # X waits anew, so that Y is the oldest
    bench.fire(1000)
    tell(bench, output="first")
    tell(bench, output="second")
    assert bench.output == ["second", "first"]


def test_a_wait_times_out_and_is_retried() -> None:
    retry = [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    bench = bench_of({"A": wait(TimeoutSeconds=60, Retry=retry)})
    bench.fire(60_000)
    assert bench.names(1) == ["RetryScheduled"]
    tell(bench, output="kept while nothing waits")
    bench.fire(61_000)
    assert bench.status == "SUCCEEDED"


def test_a_heartbeat_that_does_not_come_ends_the_wait() -> None:
    bench = bench_of({"A": wait(HeartbeatSeconds=5)})
    bench.at(4_000)
    bench.do(Heartbeat(bench.root.token))
    bench.fire(5_000)
    assert bench.status == "RUNNING"
    bench.fire(9_000)
    assert (bench.status, bench.living.cause) == ("FAILED", "no heartbeat within 5 s")


def test_a_flow_that_stands_keeps_the_outcome_and_the_next_signal() -> None:
    bench = bench_of({"A": wait(Next="B"), "B": wait()})
    bench.do(Pause())
    tell(bench, output=1)
    tell(bench, output=2)
    assert (len(bench.living.inbox), len(bench.living.signals)) == (1, 1)
    bench.do(Resume())
    assert bench.output == 2


def test_a_repeated_request_changes_nothing() -> None:
    bench = bench_of({"A": wait(Next="B"), "B": wait()})
    assert tell(bench, output=1, request="r") == "done"
    assert tell(bench, output=2, request="r") == "was taken already"
    assert bench.root.state == "B"


def test_what_nobody_waits_for_is_refused_with_the_names_there_are() -> None:
    bench = bench_of({"A": wait("paid", Next="B"), "B": wait("sent")})
    assert tell(bench, "payed") == "orders@1 knows no signal 'payed': its states wait for paid, sent"
    assert bench.do(Signal("payed")).closed, "counted where nobody hears of it"
    without = bench_of({"A": task("a")})
    assert tell(without) == "orders@1 knows no signal 'go': none of its states waits for a signal"
    without.do(Stop())
    assert tell(without) == "the flow orders:1 has ended: it is ABORTED"


@pytest.mark.parametrize("output", ["x" * 262_144, 0])
def test_what_is_kept_is_bounded(output: Any) -> None:
    bench = bench_of({"A": task("a", Next="B"), "B": wait()})
    if output:
        assert tell(bench, output=output) == "the output of the signal has 262146 bytes of JSON: at most 262144 can be carried"
        many = 0
        while tell(bench, output=output[:-2]) == "done":
            many += 1
        assert many == 15, "the state of a flow has 4 MiB"
        assert bench.status == "RUNNING"
    else:
        for n in range(100):
            assert tell(bench, output=n) == "done"
        assert tell(bench, output=100).startswith("the flow orders:1 keeps 100 signals")


def test_signals_are_kept_for_a_redrive_and_forgotten_with_a_success() -> None:
    bench = bench_of({"A": task("a", Next="B"), "B": wait(Next="C"), "C": task("b")})
    tell(bench, output=1)
    tell(bench, output=2)
    bench.fail()
    assert (bench.status, len(bench.living.signals)) == ("FAILED", 2)
    bench.do(Redrive("r1"))
    bench.complete({})
    bench.complete({})
    assert (bench.status, bench.living.signals) == ("SUCCEEDED", [])


def test_its_input_is_told_and_may_have_the_token() -> None:
    bench = bench_of({"A": wait(Parameters={"token.$": "$$.Task.Token"})})
    scheduled = next(event for event in bench.history if isinstance(event, TaskScheduled))
    assert scheduled.input == {"token": scheduled.token}
    assert scheduled.task == "signal:go"
