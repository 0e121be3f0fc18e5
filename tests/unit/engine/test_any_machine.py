"""Any sound machine, whatever it is given and however it is answered: it ends, or waits for something; nothing is raised, and deciding
twice gives the same bytes (Bench decides everything twice, and folds the events to the state)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfc.asl import compile_machine, validate
from sfc.engine.commands import ChildEnded, Complete, Dispatched, Fail, Signal
from sfc.engine.flow import Branch, next_due_ms
from tests.unit.engine.any_machine import INPUTS, VALUES, machines
from tests.unit.engine.bench import T0, Bench, program_of

ANSWERS = st.lists(st.tuples(st.sampled_from(["ok", "ok", "ok", "fail", "late"]), VALUES), min_size=1, max_size=8)
TURNS_MAX = 60
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def program(document: dict[str, Any]) -> Any:
    more = {key: value for key, value in document.items() if key not in ("StartAt", "States")}
    return program_of(document["States"], document["StartAt"], blueprints={"pay@2": "h"}, **more)


def awaited(bench: Bench) -> list[tuple[Branch, int]]:
    """Branches that somebody must answer, with the places of a Map's open iterations (-1: none)."""
    found = []
    for branch in bench.living.branches.values():
        if branch.map is not None and branch.map.open:
            found += [(branch, index) for index in branch.map.open]
        elif branch.phase == "job":
            found.append((branch, -1))
    return found


def answer(bench: Bench, branch: Branch, index: int, good: bool, value: Any) -> None:
    assert bench.program is not None
    target = bench.program.targets.get(branch.state)
    if index >= 0 or branch.child:
        bench.do(ChildEnded(branch.token, "SUCCEEDED" if good else "FAILED", value, None if good else "Broken", index=index))
    elif target is not None and target.kind == "signal":
        bench.do(Signal("go", value, None if good else "Busy"))
    elif target is not None and target.kind == "topic":
        bench.do(Dispatched(branch.token))
    else:
        bench.do(Complete(branch.token, value) if good else Fail(branch.token, "Busy", "c"))


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(machines(), INPUTS, ANSWERS)
def test_a_sound_machine_ends_or_waits(document: dict[str, Any], given_input: Any, answers: list[tuple[str, Any]]) -> None:
    assert [problem for problem in validate(document) if problem.severity == "error"] == []
    bench = Bench(program(document))
    bench.start(given_input, keep_id=True)
    for turn in range(TURNS_MAX):
        assert not (bench.living.cause or "").startswith("the engine could not decide"), bench.living.cause
        if not bench.living.running:
            assert bench.status in ("SUCCEEDED", "FAILED", "TIMED_OUT")
            return
        what, value = answers[turn % len(answers)]
        open_ones, due_ms = awaited(bench), next_due_ms(bench.living)
        assert open_ones or due_ms, "a running flow always has something that will move it"
        if due_ms and (what == "late" or not open_ones):
            bench.fire(max(due_ms, bench.shard.clock_ms) - T0)
        else:
            branch, index = open_ones[turn % len(open_ones)]
            answer(bench, branch, index, what != "fail", value)


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(machines())
def test_machines_are_compiled_the_same_twice(document: dict[str, Any]) -> None:
    one, other = compile_machine(document), compile_machine(document)
    assert list(one.states) == list(other.states)
    assert (one.start_at, one.timeout_s) == (other.start_at, other.timeout_s)


def test_all_types_of_states_are_drawn_and_entered() -> None:
    drawn: Counter[str] = Counter()
    entered: Counter[str] = Counter()

    @settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=SLOW, database=None)
    @given(machines(), INPUTS)
    def look(document: dict[str, Any], given_input: Any) -> None:
        bench = Bench(program(document))
        drawn.update(state.kind for state in compile_machine(document).states.values())
        bench.start(given_input, keep_id=True)
        entered.update(getattr(event, "kind", "") for event in bench.history)

    look()
    kinds = {"Task", "Parallel", "Map", "Pass", "Wait", "Choice", "Succeed", "Fail", "Join"}
    assert kinds <= set(drawn)
    assert kinds - {"Join"} <= set(entered)


INPUT = "$$.Execution.Input"
TWICE: list[tuple[str, dict[str, Any]]] = [
    ("Pass", {"InputPath": INPUT}),
    ("Wait", {"Seconds": 1, "OutputPath": INPUT}),
    ("Wait", {"Seconds": 1, "QueryLanguage": "JSONata", "Output": "{% $states.context.Execution.Input %}"}),
    ("Wait", {"Seconds": 1, "QueryLanguage": "JSONata", "Output": "{% $v %}"}),
    ("Task", {"Resource": "task:a@1", "InputPath": INPUT, "TimeoutSeconds": 5}),
    ("Task", {"Resource": "task:a@1", "InputPath": "$v", "TimeoutSeconds": 5}),
    ("Parallel", {"InputPath": INPUT, "Branches": [{"StartAt": "I", "States": {"I": {"Type": "Wait", "Seconds": 1, "End": True}}}]}),
    ("Map", {"ItemsPath": INPUT, "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Wait", "Seconds": 1, "End": True}}}}),
    ("Map", {
        "ItemsPath": INPUT, "ItemSelector": {"x.$": "$$.Map.Item.Value.x"},
        "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Wait", "Seconds": 1, "End": True}}},
    }),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "fields"), TWICE)
def test_what_is_told_does_not_depend_on_what_is_one_object_in_memory(kind: str, fields: dict[str, Any]) -> None:
    """The flow's input is also its branch's data: one object where the flow lives, two where its state was decoded."""
    first = {"Type": "Wait", "Seconds": 1, "Assign": {"v.$": "$"}, "Next": "B"}
    bench = Bench(program_of({"A": first, "B": {"Type": kind, **fields, "Next": "Z"}, "Z": {"Type": "Succeed"}}))
    bench.start([{"x": 1}, {"x": 2}], keep_id=True)
    while bench.living.running:
        bench.fire(next_due_ms(bench.living) - T0)
