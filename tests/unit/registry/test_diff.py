"""The difference of two versions."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest

from sfc.registry.diff import diff, unified

INNER = {"StartAt": "X", "States": {"X": {"Type": "Task", "Resource": "task:x@1", "Next": "Y"}, "Y": {"Type": "Pass", "End": True}}}
DOCUMENT: dict[str, Any] = {
    "Comment": "orders",
    "StartAt": "A",
    "States": {
        "A": {
            "Type": "Task",
            "Resource": "task:a@1",
            "TimeoutSeconds": 3,
            "Parameters": {"deep": {"er": 1}},
            "Catch": [{"ErrorEquals": ["E"], "Next": "C"}],
            "Next": "B",
        },
        "B": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "C"}], "Default": "P"},
        "P": {"Type": "Parallel", "Branches": [INNER], "Next": "C"},
        "C": {"Type": "Pass", "End": True},
    },
    "Sfc": {"Name": "order", "Group": "shop", "Triggers": [{"Id": "in", "Topic": "t"}]},
}


def changed(*path: Any, to: Any = ...) -> dict[str, Any]:
    """A copy with another value at a path, or without it."""
    made = copy.deepcopy(DOCUMENT)
    at: Any = made
    for step in path[:-1]:
        at = at[step]
    if to is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = to
    return made


def shown(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Without what is empty."""
    found = msgspec.to_builtins(diff(old, new))
    return {name: value for name, value in found.items() if value}


def test_the_same_document_differs_in_nothing() -> None:
    assert diff(DOCUMENT, copy.deepcopy(DOCUMENT)).same
    assert unified(DOCUMENT, copy.deepcopy(DOCUMENT), "a", "b") == ""


def test_a_state_is_added_or_removed() -> None:
    more = changed("States", "D", to={"Type": "Wait", "Seconds": 1, "End": True})
    assert shown(DOCUMENT, more) == {"states": [{"pointer": "/States/D", "change": "added", "type": "Wait"}]}
    assert shown(more, DOCUMENT) == {"states": [{"pointer": "/States/D", "change": "removed", "type": "Wait"}]}


@pytest.mark.parametrize(
    ("path", "to", "field"),
    [
        (("TimeoutSeconds",), 5, {"pointer": "/TimeoutSeconds", "old": 3, "new": 5}),
        (("TimeoutSeconds",), 3.0, {"pointer": "/TimeoutSeconds", "old": 3, "new": 3.0}),
        (("TimeoutSeconds",), ..., {"pointer": "/TimeoutSeconds", "old": 3}),
        (("HeartbeatSeconds",), 1, {"pointer": "/HeartbeatSeconds", "new": 1}),
        (("Parameters", "deep", "er"), None, {"pointer": "/Parameters/deep/er", "old": 1, "new": None}),
        (("Catch", 0, "ErrorEquals"), ["E", "F"], {"pointer": "/Catch/0/ErrorEquals", "old": ["E"], "new": ["E", "F"]}),
    ],
)
def test_a_changed_state_tells_its_smallest_values_that_differ(path: tuple[Any, ...], to: Any, field: dict[str, Any]) -> None:
    (state,) = shown(DOCUMENT, changed("States", "A", *path, to=to))["states"]
    assert state == {"pointer": "/States/A", "change": "changed", "type": "Task", "fields": [field]}


@pytest.mark.parametrize(
    ("path", "pointer", "old"),
    [
        (("A", "Next"), "/Next", "B"),
        (("A", "Catch", 0, "Next"), "/Catch/0/Next", "C"),
        (("B", "Default"), "/Default", "P"),
        (("B", "Choices", 0, "Next"), "/Choices/0/Next", "C"),
    ],
)
def test_a_state_that_only_leads_elsewhere_is_rewired(path: tuple[Any, ...], pointer: str, old: str) -> None:
    (state,) = shown(DOCUMENT, changed("States", *path, to="Z"))["states"]
    assert (state["change"], state["targets"]) == ("rewired", [{"pointer": pointer, "old": old, "new": "Z"}])
    assert "fields" not in state


def test_an_end_that_goes_on_is_rewired() -> None:
    (state,) = shown(DOCUMENT, changed("States", "C", to={"Type": "Pass", "Next": "A"}))["states"]
    assert (state["change"], state["targets"]) == ("rewired", [{"pointer": "/End", "old": True}, {"pointer": "/Next", "new": "A"}])


def test_states_inside_a_parallel_have_their_pointers() -> None:
    inner = changed("States", "P", "Branches", 0, "States", "X", "Resource", to="task:x@2")
    (state,) = shown(DOCUMENT, inner)["states"]
    assert (state["pointer"], state["fields"]) == (
        "/States/P/Branches/0/States/X",
        [{"pointer": "/Resource", "old": "task:x@1", "new": "task:x@2"}],
    )
    start = shown(DOCUMENT, changed("States", "P", "Branches", 0, "StartAt", to="Y"))
    assert start == {"start": [{"pointer": "/States/P/Branches/0/StartAt", "old": "X", "new": "Y"}]}


def test_a_branch_that_is_new_has_its_states_added() -> None:
    found = shown(
        DOCUMENT, changed("States", "P", "Branches", to=[INNER, {"StartAt": "N", "States": {"N": {"Type": "Pass", "End": True}}}])
    )
    assert found["states"] == [{"pointer": "/States/P/Branches/1/States/N", "change": "added", "type": "Pass"}]
    assert found["start"] == [{"pointer": "/States/P/Branches/1/StartAt", "new": "N"}]


def test_states_inside_a_map_have_their_pointers() -> None:
    def machine(seconds: int, mode: str) -> dict[str, Any]:
        wait = {"Type": "Wait", "Seconds": seconds, "End": True}
        processor = {"ProcessorConfig": {"Mode": mode}, "StartAt": "W", "States": {"W": wait}}
        return {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": processor, "End": True}}}

    found = shown(machine(1, "INLINE"), machine(2, "DISTRIBUTED"))["states"]
    assert [(s["pointer"], [f["pointer"] for f in s["fields"]]) for s in found] == [
        ("/States/M", ["/ItemProcessor/ProcessorConfig/Mode"]),
        ("/States/M/ItemProcessor/States/W", ["/Seconds"]),
    ]


def test_a_state_of_another_type_has_changed() -> None:
    (state, *rest) = shown(DOCUMENT, changed("States", "P", to={"Type": "Pass", "Next": "C"}))["states"]
    assert (state["change"], state["type"], state["fields"]) == (
        "changed",
        "Pass",
        [{"pointer": "/Type", "old": "Parallel", "new": "Pass"}],
    )
    assert [(s["pointer"], s["change"]) for s in rest] == [
        ("/States/P/Branches/0/States/X", "removed"),
        ("/States/P/Branches/0/States/Y", "removed"),
    ]


def test_triggers_are_told_apart_by_their_ids() -> None:
    triggers = [{"Id": "new", "Topic": "n"}, {"Id": "in", "Topic": "u"}]
    assert shown(DOCUMENT, changed("Sfc", "Triggers", to=triggers)) == {
        "triggers": [
            {"id": "new", "change": "added"},
            {"id": "in", "change": "changed", "fields": [{"pointer": "/Topic", "old": "t", "new": "u"}]},
        ]
    }
    assert shown(DOCUMENT, changed("Sfc", "Triggers")) == {"triggers": [{"id": "in", "change": "removed"}]}


def test_start_fields_and_the_section_are_told() -> None:
    assert shown(DOCUMENT, changed("StartAt", to="C")) == {"start": [{"pointer": "/StartAt", "old": "A", "new": "C"}]}
    assert shown(DOCUMENT, changed("Comment")) == {"fields": [{"pointer": "/Comment", "old": "orders"}]}
    assert shown(DOCUMENT, changed("Sfc", "Group", to="store")) == {"sfc": [{"pointer": "/Sfc/Group", "old": "shop", "new": "store"}]}


def test_a_name_with_a_slash_is_escaped_in_pointers() -> None:
    (state,) = shown(DOCUMENT, changed("States", "a/b", to={"Type": "Pass", "End": True}))["states"]
    assert state["pointer"] == "/States/a~1b"


def test_as_text_it_is_a_unified_diff_of_yaml() -> None:
    lines = unified(DOCUMENT, changed("States", "A", "TimeoutSeconds", to=5), "order@1", "order@2").splitlines()
    assert lines[:2] == ["--- order@1", "+++ order@2"]
    assert [line for line in lines[2:] if line[0] in "+-"] == ["-    TimeoutSeconds: 3", "+    TimeoutSeconds: 5"]
