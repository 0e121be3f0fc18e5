"""How each state of a run was left: what failed, and what was only stopped."""

from __future__ import annotations

from typing import Any

from sfc.testing import run
from sfc.testing.visits import visits_of
from tests.unit.testing.machines import machine, task

OOPS = {"throw": {"error": "Oops"}, "delay": 5}
NAP = {"Type": "Wait", "Seconds": 100, "End": True}
ALL = [{"ErrorEquals": ["States.ALL"], "Next": "Z"}]
LATER = {"Z": {"Type": "Pass", "End": True}}


def branch(name: str, state: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": name, "States": {name: state}}


def parallel(*branches: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Parallel", "Branches": list(branches), **({} if "Next" in fields else {"End": True}), **fields}


def left(definition: dict[str, Any], input: Any = None, **more: Any) -> list[tuple[str, float | None, str]]:
    return [(v.state, v.took, v.left) for v in visits_of(run(definition, input, **more).history)]


def test_what_was_under_way_when_another_branch_failed_was_stopped() -> None:
    states = {"A": parallel(branch("Bad", task()), branch("Slow", task()), branch("Nap", NAP))}
    assert left(machine(states), mocks={"Bad": OOPS, "Slow": {"return": 1, "delay": 60}}) == [
        ("A", 5, "failed: Oops"),
        ("Bad", 5, "failed: Oops"),
        ("Slow", 5, "stopped"),
        ("Nap", 5, "stopped"),
    ]


def test_a_state_whose_error_is_caught_above_it_has_its_time() -> None:
    states = {"A": parallel(branch("Bad", task()), branch("Nap", NAP), Catch=ALL), **LATER}
    assert left(machine(states), mocks={"Bad": OOPS}) == [
        ("A", 5, "caught Oops: Z"),
        ("Bad", 5, "failed: Oops"),
        ("Nap", 5, "stopped"),
        ("Z", 0, "end"),
    ]


def test_an_error_goes_up_through_branches_of_branches() -> None:
    inner = parallel(branch("Bad", task()), branch("Nap", NAP))
    states = {"A": parallel(branch("In", inner), branch("Other", parallel(branch("Nap2", NAP))))}
    assert left(machine(states), mocks={"Bad": OOPS}) == [
        ("A", 5, "failed: Oops"),
        ("In", 5, "failed: Oops"),
        ("Other", 5, "stopped"),
        ("Bad", 5, "failed: Oops"),
        ("Nap", 5, "stopped"),
        ("Nap2", 5, "stopped"),
    ]


def test_what_a_retry_begins_anew_was_left_before() -> None:
    states = {"A": parallel(branch("Bad", task()), branch("Nap", NAP), Retry=[{"ErrorEquals": ["Oops"], "MaxAttempts": 1}])}
    assert left(machine(states), mocks={"Bad": [OOPS, {"return": 1}]}) == [
        ("A", 106, "end"),
        ("Bad", 5, "failed: Oops"),
        ("Nap", 5, "stopped"),
        ("Bad", 0, "end of the branch"),
        ("Nap", 100, "end of the branch"),
    ]


def test_iterations_that_end_with_another_one_were_stopped() -> None:
    each = {"StartAt": "X", "States": {"X": {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 1, "Next": "Bad"}],
                                             "Default": "Nap"}, "Bad": task(), "Nap": NAP}}  # fmt: skip
    states = {"A": {"Type": "Map", "ItemProcessor": each, "Catch": ALL, "Next": "Z"}, **LATER}
    assert left(machine(states), [0, 1], mocks={"Bad": OOPS}) == [
        ("A", 5, "caught Oops: Z"),
        ("X", 0, "Nap"),
        ("X", 0, "Bad"),
        ("Nap", 5, "stopped"),
        ("Bad", 5, "failed: Oops"),
        ("Z", 0, "end"),
    ]


def test_iterations_whose_failure_is_tolerated_failed_when_they_did() -> None:
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **branch("Bad", task())}
    states = {"A": {"Type": "Map", "ItemProcessor": processor, "ToleratedFailureCount": 1, "Next": "Z"}, **LATER}
    assert left(machine(states), [1], mocks={"Bad": OOPS}) == [("A", 5, "Z"), ("Bad", 5, "failed: Oops"), ("Z", 0, "end")]


def test_what_is_detached_goes_on_when_its_state_is_left_and_is_stopped_by_its_join() -> None:
    states = {
        "A": parallel(branch("Quick", {**NAP, "Seconds": 3}), branch("Nap", NAP), Detached=True, Next="J"),
        "J": {"Type": "Join", "Of": "A", "Until": "Any", "Next": "W"},
        "W": {"Type": "Wait", "Seconds": 7, "End": True},
    }
    assert set(left(machine(states))) == {
        ("A", 0, "J"),
        ("J", 3, "W"),
        ("Quick", 3, "end of the branch"),
        ("Nap", 3, "stopped"),
        ("W", 7, "end"),
    }
    del states["J"]
    states["A"]["Next"] = "W"
    assert set(left(machine(states))) == {
        ("A", 0, "W"),
        ("W", 7, "end"),
        ("Quick", 3, "end of the branch"),
        ("Nap", 7, "stopped"),
    }
