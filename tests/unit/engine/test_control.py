"""Pause, resume, wake, stop, redrive; holds of the shard."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.engine.commands import Complete, Fire, Heartbeat, Pause, Redrive, ReplyTo, Resume, Stop, Wake
from sfc.engine.flow import next_due_ms
from sfc.engine.shard import HoldRecord, Waking
from tests.unit.engine.bench import T0, Bench, program_of, task

ASKER = ReplyTo("replies", "gw", "7")
CATCH = [{"ErrorEquals": ["States.ALL"], "Next": "B"}]
TWO = {"A": task("a", TimeoutSeconds=10, Next="B"), "B": task("b")}


def started(states: dict[str, Any] | None = None, **more: Any) -> Bench:
    bench = Bench(program_of(TWO if states is None else states, **more))
    bench.start({"n": 1}, keep_id=True)
    return bench


def verdict(bench: Bench) -> str:
    return bench.replies[-1].status


def test_answers_wait_while_a_flow_is_paused_and_are_decided_when_it_resumes() -> None:
    bench = started()
    bench.do(Pause("looking", "me", ASKER))
    assert (verdict(bench), bench.living.paused_reason) == ("done", "looking")
    bench.complete("answer")
    assert (len(bench.jobs), bench.names(1)) == (1, ["OutcomeHeld"])
    assert bench.complete("again").closed
    bench.do(Resume("me", ASKER))
    assert (verdict(bench), bench.jobs[-1].state, bench.jobs[-1].value) == ("done", "B", b'"answer"')
    assert bench.living.inbox == []


def test_answers_held_are_decided_in_the_order_in_which_they_came() -> None:
    branches = [{"StartAt": n, "States": {n: task("a", Next=f"{n}2"), f"{n}2": task("b")}} for n in ("X", "Y")]
    bench = started({"A": {"Type": "Parallel", "Branches": branches, "End": True}})
    bench.do(Pause())
    bench.complete("y", job=1)
    bench.complete("x", job=0)
    bench.do(Resume())
    assert [j.state for j in bench.jobs[2:]] == ["Y2", "X2"]


def test_pausing_and_resuming_twice_changes_nothing_and_succeeds() -> None:
    bench = started()
    assert bench.do(Resume(reply=ASKER)).events == []
    assert verdict(bench) == "done"
    bench.do(Pause())
    assert bench.do(Pause(reply=ASKER)).events == []
    assert verdict(bench) == "done"


def test_timers_stand_still_while_a_flow_is_paused() -> None:
    bench = started()
    bench.at(4000)
    bench.do(Pause())
    assert next_due_ms(bench.living) == 0
    assert bench.fire(60_000).events == []
    bench.do(Resume())
    assert bench.due == 66_000
    bench.fire(66_000)
    assert bench.living.error == "States.Timeout"


def test_an_answer_that_came_in_a_pause_is_on_time_whatever_the_clock_says() -> None:
    bench = started()
    bench.do(Pause())
    bench.at(3_600_000)
    bench.complete("late by an hour")
    bench.do(Resume())
    assert bench.root.state == "B"


def test_a_sign_of_life_in_a_pause_gives_the_whole_silence_after_it() -> None:
    bench = started({"A": task("a", TimeoutSeconds=100, HeartbeatSeconds=10)})
    bench.at(4000)
    bench.do(Pause())
    bench.at(20_000)
    bench.do(Heartbeat(bench.jobs[0].token))
    bench.at(30_000)
    bench.do(Resume())
    assert bench.due == 40_000


@pytest.mark.parametrize("freeze", [True, False])
def test_a_hold_of_the_blueprint(freeze: bool) -> None:
    bench = started()
    bench.at(4000)
    bench.hold(freeze=freeze)
    assert bench.fire(9000).events == []
    bench.complete("answer")
    assert bench.names(1) == ["OutcomeHeld"]
    bench.at(30_000)
    bench.lift()
    assert bench.root.state == "B"


@pytest.mark.parametrize(("freeze", "due_ms"), [(True, 36_000), (False, 10_000)])
def test_a_hold_freezes_timers_or_lets_them_pass(freeze: bool, due_ms: int) -> None:
    bench = started()
    bench.at(4000)
    bench.hold(freeze=freeze)
    bench.at(30_000)
    bench.lift()
    assert bench.due == due_ms


def test_a_flow_started_under_a_hold_enters_its_first_state_when_it_is_lifted() -> None:
    bench = Bench(program_of(TWO, TimeoutSeconds=60))
    bench.hold()
    bench.at(5000)
    bench.start({"n": 1})
    assert (bench.jobs, bench.due) == ([], -T0)
    bench.at(25_000)
    bench.lift()
    assert [j.state for j in bench.jobs] == ["A"]
    assert bench.living.due_ms - T0 == 85_000  # the timers move from its start, not from the hold's


def test_a_flow_s_own_pause_outlives_the_hold_of_its_blueprint() -> None:
    bench = started()
    bench.at(1000)
    bench.hold()
    bench.at(2000)
    bench.do(Pause())
    bench.at(3000)
    bench.lift()
    assert bench.living.paused
    bench.at(9000)
    bench.do(Resume())
    assert bench.due == 18_000  # frozen from the first hold to the last


def test_the_hold_of_a_blueprint_outlives_a_flow_s_own_pause() -> None:
    bench = started()
    bench.at(1000)
    bench.do(Pause())
    bench.at(2000)
    bench.hold()
    bench.at(3000)
    bench.do(Resume())
    assert bench.complete("answer").events != []
    assert (bench.names(2), bench.living.paused) == (["ExecutionResumed", "OutcomeHeld"], False)
    bench.at(9000)
    bench.lift()
    assert bench.root.state == "B"
    assert bench.due == 9000 + 7 * 86_400_000


def test_a_paused_flow_remembers_a_hold_that_began_before_and_was_lifted() -> None:
    bench = started()
    bench.at(2000)
    bench.do(Pause())
    bench.at(3000)
    bench.do(Wake(T0 + 1000))
    assert bench.living.held_since_ms == T0 + 1000
    assert bench.do(Wake(T0 + 1500)).events == []


def test_a_flow_behind_the_wake_cursor_still_stands() -> None:
    bench = started()
    bench.shard.holds["blueprint:orders"] = HoldRecord(2, False)
    bench.shard.waking.append(Waking("blueprint:orders", T0))
    bench.complete("answer")
    assert bench.names(1) == ["OutcomeHeld"]
    bench.shard.waking[0].cursor = bench.flow_id
    bench.do(Wake(T0))
    assert bench.root.state == "B"


def test_an_ended_flow_ignores_wakes_and_answers() -> None:
    bench = started()
    bench.do(Stop())
    assert bench.do(Wake(T0)).events == []
    assert bench.complete(1).closed


def test_stop_ends_a_flow_and_closes_its_jobs() -> None:
    waiter = ReplyTo("replies", "gw", "1")
    bench = Bench(program_of(TWO))
    bench.start(1, wait=waiter)
    bench.do(Stop("Recall", "bad batch", "me", ASKER))
    assert (bench.status, bench.living.error, bench.living.cause) == ("ABORTED", "Recall", "bad batch")
    assert [(r.to, r.status) for r in bench.replies] == [(waiter, "ABORTED"), (ASKER, "done")]
    assert bench.complete(1).closed
    assert bench.due == 14 * 86_400_000


def test_a_paused_flow_can_be_stopped_and_redriven() -> None:
    bench = started()
    bench.do(Pause())
    bench.complete("dropped")
    bench.do(Stop())
    bench.do(Redrive())
    assert (bench.living.paused, bench.living.inbox, [j.state for j in bench.jobs]) == (False, [], ["A", "A"])
    assert bench.jobs[0].token != bench.jobs[1].token


@pytest.mark.parametrize("command", [Pause(reply=ASKER), Resume(reply=ASKER), Stop(reply=ASKER), Redrive(reply=ASKER)])
def test_verdicts_on_what_cannot_be(command: Pause | Resume | Stop | Redrive) -> None:
    nobody = Bench(program_of(TWO))
    assert nobody.do(command).events == []
    assert verdict(nobody) == "unknown"
    bench = started({"A": {"Type": "Pass", "End": True}})
    assert bench.do(command).events == []
    assert (verdict(bench), "SUCCEEDED" in bench.replies[-1].detail) == ("not-possible", True)


def test_a_running_flow_cannot_be_redriven() -> None:
    bench = started()
    bench.do(Redrive(reply=ASKER))
    assert (verdict(bench), "RUNNING" in bench.replies[-1].detail) == ("not-possible", True)


@pytest.mark.parametrize("end", ["fail", "stop", "time out"])
def test_a_redrive_goes_on_where_the_flow_ended(end: str) -> None:
    bench = started({"A": task("a", Next="B"), "B": task("b", Retry=[])}, TimeoutSeconds=50)
    bench.complete("half-way")
    if end == "fail":
        bench.fail()
    elif end == "stop":
        bench.do(Stop())
    else:
        bench.fire(50_000)
    bench.at(60_000)
    bench.do(Redrive("r1", reply=ASKER))
    assert (verdict(bench), bench.status, bench.living.error, bench.living.redrives) == ("done", "RUNNING", None, 1)
    assert [(j.state, j.value) for j in bench.jobs[2:]] == [("B", b'"half-way"')]
    assert bench.living.due_ms - T0 == 110_000
    bench.complete("done")
    assert (bench.status, bench.living.output) == ("SUCCEEDED", "done")


def test_a_redrive_may_edit_the_input_and_is_done_once_per_request() -> None:
    bench = started()
    bench.fail()
    bench.do(Redrive("r1", input={"n": 2}, edited=True))
    assert bench.jobs[-1].value == b'{"n":2}'
    again = bench.do(Redrive("r1", reply=ASKER))
    assert (again.events, verdict(bench)) == ([], "done")


def test_a_redrive_under_a_hold_waits_for_its_end() -> None:
    bench = started()
    bench.fail()
    bench.hold()
    bench.do(Redrive())
    assert len(bench.jobs) == 1
    bench.at(5000)
    bench.lift()
    assert [j.state for j in bench.jobs] == ["A", "A"]


def test_a_retry_that_is_due_in_a_pause_waits_for_its_end() -> None:
    bench = started({"A": task("a", Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 3}])})
    bench.fail()
    bench.at(1000)
    bench.do(Pause())
    bench.fire(5000)
    assert len(bench.jobs) == 1
    bench.do(Resume())
    bench.fire(6999)
    assert len(bench.jobs) == 1
    bench.fire(7000)
    assert len(bench.jobs) == 2


def test_an_answer_taken_at_resume_may_end_the_flow() -> None:
    branches = [{"StartAt": n, "States": {n: task("a")}} for n in ("X", "Y")]
    bench = started({"A": {"Type": "Parallel", "Branches": branches, "End": True}})
    bench.do(Pause())
    bench.fail(job=0)
    bench.complete(1, job=1)
    bench.do(Resume())
    assert (bench.status, bench.names(1)) == ("FAILED", ["ExecutionFailed"])


def test_nothing_is_asked_of_no_flow() -> None:
    bench = Bench(program_of(TWO))
    assert bench.do(Fire(T0)).flow is None
    assert bench.do(Wake(T0)).flow is None
    assert bench.do(Complete("orders:1/1/3/x", 1)).closed
