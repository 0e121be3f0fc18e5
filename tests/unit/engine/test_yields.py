"""When a flow with much to do leaves the rest to another decision."""

from __future__ import annotations

from typing import Any

from sfc.engine.commands import Redrive, ReplyTo
from sfc.engine.events import ExecutionYielded
from sfc.engine.limits import PORTION_STEPS
from sfc.engine.turn import FLOW_BYTES_MAX
from tests.unit.engine.bench import Bench, encode, program_of

PASS = {"Type": "Pass", "End": True}


def over(items: list[Any], states: dict[str, Any], **fields: Any) -> Bench:
    processor = {"StartAt": next(iter(states)), "States": states}
    bench = Bench(program_of({"A": {"Type": "Map", "ItemProcessor": processor, "End": True, **fields}}))
    bench.start({"items": items, "big": "x" * 200_000}, wait=ReplyTo("replies", "gw", "1"))
    return bench


def test_many_large_payloads_are_enough_to_yield() -> None:
    states = {
        "P": {"Type": "Pass", "Parameters": {"x.$": "$$.Execution.Input.big"}, "Next": "Q"},
        "Q": {"Type": "Pass", "Result": 1, "End": True},
    }
    bench = over([0] * 30, states, ItemsPath="$.items")
    assert bench.status == "RUNNING"
    assert len(encode(bench.living)) <= FLOW_BYTES_MAX, "it is put off until it can be written"
    bench.fire(bench.due)
    assert bench.output == [1] * 30
    assert sum(isinstance(event, ExecutionYielded) for event in bench.history) == 1


def test_timers_that_are_due_together_wait_for_their_turn() -> None:
    chain = {f"C{n}": {"Type": "Pass", "Next": f"C{n + 1}"} for n in range(99)}
    states = {"W": {"Type": "Wait", "Seconds": 1, "Next": "C0"}, **chain, "C99": PASS}
    bench = over([0] * 40, states, ItemsPath="$.items")
    decisions = 0
    while bench.living.running:
        bench.fire(max(bench.due, 1000))
        decisions += 1
    assert bench.output == [0] * 40
    assert decisions == 1 + 40 * 101 // PORTION_STEPS


def test_a_redrive_counts_anew() -> None:
    again = {"Type": "Choice", "Choices": [{"Variable": "$", "IsString": True, "Next": "S"}], "Default": "A"}
    bench = Bench(program_of({"A": {"Type": "Pass", "Next": "B"}, "B": again, "S": {"Type": "Succeed"}}))
    bench.start(1)
    assert "a loop without a Wait or a Task" in (bench.living.cause or "")
    bench.do(Redrive("r", "over", edited=True))
    assert bench.status == "SUCCEEDED"
