"""The 39 operators: each one holds, each one does not, and unlike types never do."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.asl import ChoiceState, Context, Failure, compile_machine
from sfc.asl.choice import OPERATORS


def choose(rule: dict[str, Any], value: Any, default: str | None = "No") -> str | Failure:
    states = {name: {"Type": "Succeed"} for name in ("Yes", "No")}
    choice = {"Type": "Choice", "Choices": [{**rule, "Next": "Yes"}], **({"Default": default} if default else {})}
    state = compile_machine({"StartAt": "C", "States": {"C": choice, **states}}).states["C"]
    assert isinstance(state, ChoiceState)
    chosen = state.choose(value, Context({"limit": 5}))
    return chosen if isinstance(chosen, Failure) else chosen[0]


NOON, LATER, SAME = "2026-01-01T12:00:00Z", "2026-01-01T12:00:00.000000001Z", "2026-01-01T13:00:00+01:00"
ORDERED = {"String": ("a", "b"), "Numeric": (1, 1.5), "Timestamp": (NOON, LATER)}
OUTCOMES = {
    "Equals": (0, 1, 0),
    "LessThan": (1, 0, 0),
    "GreaterThan": (0, 0, 1),
    "LessThanEquals": (1, 1, 0),
    "GreaterThanEquals": (0, 1, 1),
}


def test_there_are_39_operators() -> None:
    assert len(set(OPERATORS)) == 39


@pytest.mark.parametrize("path", ["", "Path"])
@pytest.mark.parametrize("order", OUTCOMES)
@pytest.mark.parametrize("family", ORDERED)
def test_an_order(family: str, order: str, path: str) -> None:
    low, high = ORDERED[family]
    for (left, right), holds in zip(((low, high), (low, low), (high, low)), OUTCOMES[order], strict=True):
        rule = {"Variable": "$.x", family + order + path: "$.y" if path else right}
        assert choose(rule, {"x": left, "y": right}) == ("Yes" if holds else "No")


@pytest.mark.parametrize(
    ("rule", "value", "holds"),
    [
        ({"BooleanEquals": True}, True, True),
        ({"BooleanEquals": True}, False, False),
        ({"BooleanEquals": True}, 1, False),
        ({"BooleanEqualsPath": "$.x"}, False, True),
        ({"BooleanEqualsPath": "$$.limit"}, True, False),
        ({"NumericEquals": 1}, 1.0, True),
        ({"NumericEquals": 1}, True, False),
        ({"NumericEquals": 1}, "1", False),
        ({"NumericLessThanPath": "$$.limit"}, 4, True),
        ({"StringEquals": "1"}, 1, False),
        ({"StringLessThan": "z"}, None, False),
        ({"TimestampEquals": NOON}, SAME, True),
        ({"TimestampEquals": NOON}, "2026-01-01T12:00:00", False),
        ({"TimestampLessThan": NOON}, 1, False),
        ({"StringMatches": "log-*.txt"}, "log-2026.txt", True),
        ({"StringMatches": "log-*.txt"}, "log-.txt", True),
        ({"StringMatches": "log-*.txt"}, "log.txt", False),
        ({"StringMatches": "*a*b*"}, "xaxbx", True),
        ({"StringMatches": "*a*b*"}, "xbxax", False),
        ({"StringMatches": "*"}, "", True),
        ({"StringMatches": "aa*aa"}, "aaa", False),
        ({"StringMatches": r"a\*b"}, "a*b", True),
        ({"StringMatches": r"a\*b"}, "axb", False),
        ({"StringMatches": r"a\\*"}, "a\\x", True),
        ({"StringMatches": "*"}, 1, False),
        ({"IsNull": True}, None, True),
        ({"IsNull": False}, None, False),
        ({"IsNull": False}, 0, True),
        ({"IsPresent": True}, None, True),
        ({"IsPresent": False}, 0, False),
        ({"IsNumeric": True}, 1.5, True),
        ({"IsNumeric": True}, True, False),
        ({"IsString": True}, "", True),
        ({"IsString": True}, 1, False),
        ({"IsBoolean": True}, False, True),
        ({"IsBoolean": True}, 0, False),
        ({"IsTimestamp": True}, NOON, True),
        ({"IsTimestamp": True}, "2026-13-01T12:00:00Z", False),
    ],
)
def test_a_comparison(rule: dict[str, Any], value: Any, holds: bool) -> None:
    assert choose({"Variable": "$.x", **rule}, {"x": value}) == ("Yes" if holds else "No")


def test_logic_joins_rules() -> None:
    one, two = {"Variable": "$.x", "NumericGreaterThan": 1}, {"Variable": "$.x", "NumericLessThan": 9}
    assert choose({"And": [one, two]}, {"x": 5}) == "Yes"
    assert choose({"And": [one, two]}, {"x": 9}) == "No"
    assert choose({"Or": [{"Not": one}, {"Not": two}]}, {"x": 9}) == "Yes"
    assert choose({"Or": [{"Not": one}, {"Not": two}]}, {"x": 5}) == "No"


def test_presence_guards_a_comparison_of_what_may_be_missing() -> None:
    rule = {"And": [{"Variable": "$.x", "IsPresent": True}, {"Variable": "$.x", "NumericEquals": 1}]}
    assert choose(rule, {}) == "No"
    assert choose({"Variable": "$.x", "IsPresent": False}, {}) == "Yes"


@pytest.mark.parametrize("rule", [{"Variable": "$.x", "IsNull": True}, {"Variable": "$.y", "NumericEqualsPath": "$.x"}])
def test_a_missing_variable_fails_the_state(rule: dict[str, Any]) -> None:
    failure = choose(rule, {"y": 1})
    assert isinstance(failure, Failure)
    assert failure.error == "States.Runtime"
    assert failure.cause == "Invalid path '$.x': The choice state's condition path references an invalid value."


def test_no_match_and_no_default_fails_the_state_with_its_place() -> None:
    failure = choose({"Variable": "$.x", "IsNull": True}, {"x": 1}, default=None)
    assert isinstance(failure, Failure)
    assert failure.placed("C", 7) == Failure(
        "States.Runtime",
        "An error occurred while executing the state 'C' (entered at the event id #7). "
        "Failed to transition out of the state. The state does not point to a next state.",
    )
