"""The graph of a state machine: states, ways and what is inside of states."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.asl.graph import Edge, condition, read_graph

END = {"Type": "Pass", "End": True}
MACHINE: dict[str, Any] = {
    "StartAt": "Ask",
    "States": {
        "Ask": {
            "Type": "Task",
            "Resource": "task:ask",
            "Next": "Which",
            "Catch": [{"ErrorEquals": ["Busy", "States.Timeout"], "Next": "Ask"}, {"ErrorEquals": ["States.ALL"], "Next": "Stop"}],
        },
        "Which": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.n", "NumericEquals": 1, "Next": "All"},
                {"Variable": "$.n", "NumericEquals": 2, "Next": "All"},
            ],
            "Default": "Stop",
        },
        "All": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "B", "States": {"B": END}},
                {"StartAt": "C", "States": {"C": {"Type": "Wait", "Seconds": 3, "End": True}}},
            ],
            "End": True,
        },
        "Each": {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": {"StartAt": "D", "States": {"D": END}}, "Next": "Gone"},
        "Stop": {"Type": "Fail", "Error": "Stopped"},
    },
}


def test_a_machine_has_its_states_and_its_ways() -> None:
    graph = read_graph(MACHINE)
    assert graph.start == "Ask"
    assert [(node.name, node.kind, node.about, node.ends) for node in graph.nodes] == [
        ("Ask", "Task", "task:ask", False),
        ("Which", "Choice", "", False),
        ("All", "Parallel", "", True),
        ("Each", "Map", "for each of $.items", False),
        ("Stop", "Fail", "Stopped", True),
    ]
    assert graph.edges == (
        Edge("Ask", "Which", "next"),
        Edge("Ask", "Ask", "catch", "Busy, Timeout"),
        Edge("Ask", "Stop", "catch", "any error"),
        Edge("Which", "All", "rule", "$.n = 1 or $.n = 2"),
        Edge("Which", "Stop", "default", "else"),
    )


def test_expressions_stand_without_their_signs() -> None:
    states = {"A": {"Type": "Map", "Items": "{% $states.input %}"}, "B": {"Type": "Wait", "Seconds": "{% $s %}"}}
    assert [node.about for node in read_graph({"States": states}).nodes] == ["for each of $states.input", "$s"]


def test_branches_and_processors_are_graphs_of_their_own() -> None:
    graph = read_graph(MACHINE)
    assert [[inner.start for inner in node.inner] for node in graph.nodes] == [[], [], ["B", "C"], ["D"], []]
    assert [node.name for node in graph.every_node()] == ["Ask", "Which", "All", "B", "C", "Each", "D", "Stop"]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"Variable": "$.paid", "BooleanEquals": True}, "$.paid"),
        ({"Variable": "$.paid", "BooleanEquals": False}, "not $.paid"),
        ({"Variable": "$.a", "StringLessThanEqualsPath": "$.b"}, "$.a ≤ $.b"),
        ({"Variable": "$.a", "StringEquals": "x"}, '$.a = "x"'),
        ({"Variable": "$.a", "TimestampGreaterThan": "2026-01-01T00:00:00Z"}, '$.a > "2026-01-01T00:00:00Z"'),
        ({"Variable": "$.a", "StringMatches": "a*"}, '$.a like "a*"'),
        ({"Variable": "$.a", "IsPresent": True}, "$.a is present"),
        ({"Variable": "$.a", "IsNumeric": False}, "$.a is not a number"),
        ({"Not": {"Variable": "$.a", "IsNull": True}}, "not ($.a is null)"),
        ({"Not": {"Variable": "$.a", "BooleanEquals": True}}, "not $.a"),
        (
            {
                "And": [
                    {"Variable": "$.a", "IsNull": True},
                    {"Or": [{"Variable": "$.b", "NumericLessThan": 1}, {"Variable": "$.c", "BooleanEquals": True}]},
                ]
            },
            "$.a is null and ($.b < 1 or $.c)",
        ),
        ({"Condition": "{% $states.input.n > 1 %}"}, "$states.input.n > 1"),
        ({"Condition": True}, "true"),
        ({"Variable": "$.a"}, "?"),
    ],
)
def test_a_condition_is_said_as_people_read_it(rule: dict[str, Any], text: str) -> None:
    assert condition(rule) == text


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        1,
        [],
        {},
        {"States": 1},
        {"States": {"A": 1}},
        {"StartAt": ["A"], "States": {"A": {"Type": ["x"], "Next": 1, "Choices": 3, "Catch": [1]}}},
        {
            "States": {
                "A": {"Type": "Parallel", "Branches": [1, None]},
                "B": {"Type": "Map"},
                "C": {"Type": "Choice", "Choices": [{"Next": "A", "And": 1}]},
            }
        },
    ],
)
def test_what_can_not_be_understood_is_left_out(garbage: Any) -> None:
    assert read_graph(garbage).start == ""
