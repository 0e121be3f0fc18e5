"""Loops: ``Next`` leads backwards. The state of a flow that turns for ever stays as small as after its first turns; its history grows in
the log alone.

``SFC_TEST_TURNS`` sets the number of turns: 5,000 unless it is given."""

from __future__ import annotations

import os
from typing import Any

import pytest

from sfc.engine.commands import ChildEnded, Complete, Fail, Signal
from sfc.engine.flow import next_due_ms
from sfc.engine.spread import STARTS_MAX
from sfc.engine.turn import STEPS_MAX
from tests.unit.engine.bench import FLOW, T0, Bench, encode, program_of, task

TURNS = int(os.environ.get("SFC_TEST_TURNS", "5000"))
DIGITS = 60  # what the numbers in a state may grow: the event, the turn, times, ids of branches and tokens

COUNT = {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "More"}
MORE = {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThanPath": "$$.Execution.Input.turns", "Next": "A"}], "Default": "Z"}
END = {"Type": "Succeed"}
RETRY = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 2}]
ITERATION = {"StartAt": "I", "States": {"I": task("b")}}
LOOPS: dict[str, dict[str, Any]] = {
    "a Wait": {"A": {"Type": "Wait", "Seconds": 60, "Next": "Count"}},
    "a Task with retries, a catcher and variables": {
        "A": task(
            Retry=RETRY, Catch=[{"ErrorEquals": ["Lost"], "ResultPath": None, "Next": "Count"}], ResultPath="$.answer",
            Assign={"last.$": "$"}, TimeoutSeconds=30, HeartbeatSeconds=10, Next="Count",
        )
    },
    "a signal": {"A": {"Type": "Task", "Resource": "signal:go", "ResultPath": None, "Next": "Count"}},
    "a Parallel and a Map": {
        "A": {
            "Type": "Parallel", "ResultPath": None, "Next": "Map",
            "Branches": [{"StartAt": "L", "States": {"L": task("b")}}, {"StartAt": "R", "States": {"R": {"Type": "Pass", "End": True}}}],
        },
        "Map": {"Type": "Map", "ItemsPath": "$$.Execution.Input.items", "ItemProcessor": ITERATION, "ResultPath": None, "Next": "Count"},
    },
    "children": {
        "A": {"Type": "Task", "Resource": "blueprint:pay@2", "ResultPath": None, "Next": "Map"},
        "Map": {
            "Type": "Map", "ItemsPath": "$$.Execution.Input.items", "ResultPath": None, "Next": "Count",
            "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "E", "States": {"E": {"Type": "Succeed"}}},
        },
    },
    "branches beside the flow": {
        "A": {"Type": "Parallel", "Detached": True, "Branches": [ITERATION], "ResultPath": None, "Next": "W"},
        "W": {"Type": "Wait", "Seconds": 5, "Next": "J"},
        "J": {"Type": "Join", "Of": "A", "ResultPath": None, "Next": "Count"},
    },
}  # fmt: skip


def move(bench: Bench, turn: int) -> None:
    """What the flow waits for happens."""
    flow, program = bench.living, bench.program
    assert program is not None
    for branch in flow.branches.values():
        if branch.map is not None and branch.map.open:
            bench.do(ChildEnded(branch.token, "SUCCEEDED", turn, index=next(iter(branch.map.open))))
            return
        if branch.child:
            bench.do(ChildEnded(branch.token, "SUCCEEDED", turn))
            return
        if branch.phase != "job":
            continue
        may_fail = bool(getattr(program.machine.states[branch.state], "retry", ()))
        if program.targets[branch.state].kind == "signal":
            bench.do(Signal("go", {"n": turn}, request=f"r{turn}"))
        elif may_fail and turn % 7 == 3 and not branch.retries:
            bench.do(Fail(branch.token, "Busy" if turn % 2 else "Lost", "it is"))
        else:
            bench.do(Complete(branch.token, {"n": turn}))
        return
    bench.fire(next_due_ms(flow) - T0)


@pytest.mark.parametrize("states", LOOPS.values(), ids=LOOPS)
def test_a_flow_that_turns_stays_small(states: dict[str, Any]) -> None:
    turns = TURNS // (1 if len(states) == 1 else 5)  # several commands make one turn there
    bench = Bench(program_of({**states, "Count": COUNT, "More": MORE, "Z": END}, blueprints={"pay@2": "h"}))
    bench.start({"n": 0, "turns": turns, "items": [1, 2]}, keep_id=True)
    sizes: dict[int, int] = {}
    events = 0
    while bench.living.running:
        turn = bench.root.data.get("n", 0) if isinstance(bench.root.data, dict) else 0
        sizes[turn] = max(sizes.get(turn, 0), len(encode(bench.flow)))
        move(bench, turn)
        events += len(bench.history)
        for told in (bench.history, bench.jobs, bench.sent):
            told.clear()
    assert bench.status == "SUCCEEDED"
    assert max(sizes) == turns - 1
    assert events > 4 * turns, "every turn is told"
    few = max(sizes[turn] for turn in range(30))
    most = max(sizes.values())
    assert few < 2_000
    assert most <= few + DIGITS, f"{few} bytes in the first turns, {most} later"


def test_ids_of_children_tell_the_turns_apart() -> None:
    bench = Bench(program_of({**LOOPS["children"], "Count": COUNT, "More": MORE, "Z": END}, blueprints={"pay@2": "h"}))
    bench.start({"n": 0, "turns": 3, "items": [1, 2]})
    while bench.flow is not None and bench.flow.running:
        move(bench, 0)
    started = [sent.flow for sent in bench.sent if sent.flow != FLOW]
    assert len(started) == len(set(started)) == 9


NEVER = {"Type": "Choice", "Choices": [{"Variable": "$.done", "IsPresent": True, "Next": "Z"}], "Default": "A"}
AGAIN = [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "More"}]
BUSY = {"StartAt": "B", "States": {"B": task("b", Retry=RETRY)}}
FAILING = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Never"}}}
DONE = {"StartAt": "D", "States": {"D": {"Type": "Pass", "End": True}}}
ENDLESS: dict[str, dict[str, Any]] = {
    "a Join of what is done": {
        "A": {"Type": "Parallel", "Detached": True, "Branches": [DONE], "ResultPath": None, "Next": "J"},
        "J": {"Type": "Join", "Of": "A", "ResultPath": None, "Next": "More"},
    },
    "a Join of one that is done and one that is not": {
        "A": {"Type": "Parallel", "Detached": True, "Branches": [DONE, BUSY], "ResultPath": None, "Next": "J"},
        "J": {"Type": "Join", "Of": "A", "Until": 1, "ResultPath": None, "Next": "More"},
    },
    "a Join of what has failed": {
        "A": {"Type": "Parallel", "Detached": True, "Branches": [FAILING], "ResultPath": None, "Next": "J"},
        "J": {"Type": "Join", "Of": "A", "ResultPath": None, "Catch": AGAIN, "Next": "More"},
    },
    "a job whose sibling fails at once": {
        "A": {"Type": "Parallel", "Branches": [BUSY, FAILING], "Catch": AGAIN, "Next": "More"},
    },
    "a Map that fails once its first iterations have started": {
        "A": {
            "Type": "Map", "QueryLanguage": "JSONata", "Items": "{% [1, 2] %}", "Next": "More",
            "ItemSelector": "{% $states.context.Map.Item.Value = 2 ? $error('no') : null %}",
            "Catch": [{"ErrorEquals": ["States.ALL"], "Output": {}, "Next": "More"}],
            "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "E", "States": {"E": {"Type": "Succeed"}}},
        },
    },
}  # fmt: skip


@pytest.mark.parametrize("states", ENDLESS.values(), ids=ENDLESS)
def test_what_begins_to_wait_and_is_not_waited_for_ends_a_loop_like_nothing_at_all(states: dict[str, Any]) -> None:
    bench = Bench(program_of({**states, "More": NEVER, "Z": END}))
    bench.start({})
    for _ in range(3 * STEPS_MAX // STARTS_MAX):
        if bench.status != "RUNNING":
            break
        assert len(bench.sent) <= 2 * STARTS_MAX, "so much in one decision"
        bench.sent.clear()
        bench.fire(bench.due)
    assert bench.living.error == "States.Runtime"
    assert "a loop without a Wait or a Task" in (bench.living.cause or "")
