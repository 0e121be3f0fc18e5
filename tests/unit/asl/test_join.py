"""What is said of detached Parallels and Joins."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.asl import validate


def document(join: dict[str, Any], **ship: Any) -> dict[str, Any]:
    branches = [{"StartAt": name, "States": {name: {"Type": "Succeed"}}} for name in ("A", "B")]
    states = {"Ship": {"Type": "Parallel", "Detached": True, "Branches": branches, "Next": "J", **ship}, "J": {"Type": "Join", **join}}
    return {"StartAt": "Ship", "States": states}


@pytest.mark.parametrize("more", [{}, {"Until": "All"}, {"Until": "Any"}, {"Until": 2, "TimeoutSeconds": 5, "ResultPath": "$.r"}])
def test_good_ones(more: dict[str, Any]) -> None:
    assert validate(document({"Of": "Ship", "End": True, **more})) == []


def test_good_in_jsonata() -> None:
    join = {"Of": "Ship", "QueryLanguage": "JSONata", "TimeoutSeconds": "{% 5 %}", "Output": "{% $states.result[0] %}", "End": True}
    assert validate(document(join)) == []


@pytest.mark.parametrize(
    ("join", "ship", "pointer", "code"),
    [
        ({"End": True}, {}, "/States/J", "missing-field"),
        ({"Of": "Shop", "End": True}, {}, "/States/J/Of", "bad-join"),
        ({"Of": "Ship", "End": True}, {"Detached": False}, "/States/J/Of", "bad-join"),
        ({"Of": "J", "End": True}, {}, "/States/J/Of", "bad-join"),
        ({"Of": "Ship", "End": True, "Until": "Some"}, {}, "/States/J/Until", "bad-value"),
        ({"Of": "Ship", "End": True, "Until": 0}, {}, "/States/J/Until", "out-of-range"),
        ({"Of": "Ship", "End": True, "Until": 3}, {}, "/States/J/Until", "out-of-range"),
        ({"Of": "Ship", "End": True, "Parameters": {}}, {}, "/States/J/Parameters", "unknown-field"),
        ({"Of": "Ship", "End": True}, {"Detached": "yes"}, "/States/Ship/Detached", "wrong-type"),
    ],
)
def test_wrong_ones(join: dict[str, Any], ship: dict[str, Any], pointer: str, code: str) -> None:
    assert (pointer, code) in [(problem.pointer, problem.code) for problem in validate(document(join, **ship))]


def test_what_nobody_joins_is_warned_of() -> None:
    given = document({"Of": "Ship", "End": True})
    given["States"]["J"] = {"Type": "Succeed"}
    (problem,) = validate(given)
    assert (problem.code, problem.severity, problem.pointer) == ("never-joined", "warning", "/States/Ship")
