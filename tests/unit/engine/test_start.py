from __future__ import annotations

from typing import Any, cast

import pytest

from sfc.engine.commands import Complete, Origin, ReplyTo, Start, Stop
from sfc.engine.decide import ON, decide
from sfc.engine.effects import RefuseStart, Reply
from sfc.engine.evolve import evolve
from sfc.engine.turn import Turn
from tests.unit.engine.bench import FLOW, Bench, encode, program_of, task

ASKER = ReplyTo("replies", "gw", "7")
WAITER = ReplyTo("replies", "gw", "8")
ONE = {"A": task("a")}


def test_a_start_is_accepted() -> None:
    bench = Bench(program_of(ONE))
    origin = Origin("topic", "orders", "order_created", 2, 17)
    bench.start({"n": 1}, accepted=ASKER, origin=origin, traceparent="00-1-2-01")
    assert [(r.to, r.status) for r in bench.replies] == [(ASKER, "started")]
    assert (bench.living.run, bench.living.origin, bench.jobs[0].traceparent) == (100, origin, "00-1-2-01")


def test_a_start_of_an_unknown_blueprint_is_refused() -> None:
    bench = Bench(None)
    decision = bench.start(1, accepted=ASKER)
    assert decision.flow is None
    assert [e.reason for e in decision.effects if isinstance(e, RefuseStart)] == ["unknown-blueprint"]
    assert bench.replies[-1].status == "unknown"


def test_a_start_that_names_another_hash_is_refused() -> None:
    bench = Bench(program_of(ONE))
    decision = bench.do(Start("orders", 1, "other"))
    assert (decision.flow, [type(e) for e in decision.effects]) == (None, [RefuseStart])


@pytest.mark.parametrize("life", ["living", "kept", "stub"])
def test_a_start_with_an_id_that_is_taken_makes_no_flow(life: str) -> None:
    bench = Bench(program_of(ONE))
    bench.start({"n": 1}, keep_id=True)
    if life == "kept":
        bench.do(Stop("E", "c"))
    elif life == "stub":
        bench.complete("out")
    before = encode(bench.flow)
    decision = bench.start({"n": 2}, accepted=ASKER, wait=WAITER)
    assert (decision.events, encode(bench.flow)) == ([], before)
    assert [e.reason for e in decision.effects if isinstance(e, RefuseStart)] == ["flow-exists"]
    replies = {r.to: (r.status, r.output, r.error) for r in decision.effects if isinstance(r, Reply)}
    assert replies[ASKER][0] == "flow-exists"
    ends = {"living": None, "kept": ("ABORTED", None, "E"), "stub": ("SUCCEEDED", "out", None)}
    assert replies.get(WAITER) == ends[life]


def test_a_second_life_of_an_id_has_other_tokens() -> None:
    bench = Bench(program_of(ONE))
    bench.start(1)
    bench.complete(1)
    bench.flow = bench.folded = None  # nothing was kept
    bench.start(1)
    assert bench.jobs[0].token != bench.jobs[1].token
    assert bench.complete("late", job=0).closed


def test_what_decide_cannot_decide_fails_the_flow_visibly(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(program_of(ONE))
    bench.start(1, wait=WAITER)

    def broken(turn: Turn, command: Complete) -> None:
        turn.emit(RefuseStart)  # type: ignore[arg-type]  # no event: evolve cannot take it

    monkeypatch.setitem(cast("dict[Any, Any]", ON), Complete, broken)
    decision = bench.complete(2)
    assert (bench.status, bench.living.error) == ("FAILED", "States.Runtime")
    assert bench.living.cause == "the engine could not decide what comes next: TypeError"
    assert [type(e) for e in decision.effects] == [Reply]


def test_a_start_that_cannot_be_decided_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(turn: Turn, command: Start) -> None:
        raise KeyError("interpreter's words")

    monkeypatch.setitem(cast("dict[Any, Any]", ON), Start, broken)
    bench = Bench(program_of(ONE))
    (effect,) = bench.start(1).effects
    assert isinstance(effect, RefuseStart)
    assert "KeyError" in effect.detail
    assert "interpreter" not in effect.detail


def test_the_flow_passed_in_follows_its_events() -> None:
    bench = Bench(program_of(ONE))
    bench.start(1)
    flow = bench.living
    decision = decide(bench.program, flow, Complete(bench.jobs[0].token, 2), bench.shard, 101, FLOW)
    assert decision.flow is flow
    assert evolve(None, decision.events[0]) is None  # only a start makes a flow
