"""A state machine as a graph: its states, what leads from one to the other, and in a Parallel or a Map the graphs inside.

Read from the document itself, so that one that is not right yet can be drawn too; what can't be understood is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sfc.asl.failure import as_json

EdgeKind = Literal["next", "rule", "default", "catch"]

_SIGNS = {"Equals": "=", "LessThanEquals": "≤", "GreaterThanEquals": "≥", "LessThan": "<", "GreaterThan": ">"}
_FAMILIES = ("String", "Numeric", "Boolean", "Timestamp")
_IS = {
    "IsNull": "null",
    "IsPresent": "present",
    "IsNumeric": "a number",
    "IsString": "a text",
    "IsBoolean": "true or false",
    "IsTimestamp": "a time",
}


@dataclass(frozen=True, slots=True)
class Edge:
    """From a state to one of the same graph. ``label``: a rule's condition, a catcher's errors."""

    source: str
    target: str
    kind: EdgeKind
    label: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A state. ``about``: what it does, in a few words. ``inner``: the branches of a Parallel, or the processor of a Map."""

    name: str
    kind: str
    about: str
    ends: bool
    inner: tuple[Graph, ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """A machine, a branch or a processor; ``start`` is the name of one of its nodes, or ''."""

    start: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def every_node(self) -> Iterator[Node]:
        """All states, those inside of others too."""
        for node in self.nodes:
            yield node
            for graph in node.inner:
                yield from graph.every_node()


def read_graph(document: Any) -> Graph:
    """The graph of a state machine. Never raises: what is no state machine has an empty one."""
    states = document.get("States") if isinstance(document, dict) else None
    known = {name: state for name, state in states.items() if isinstance(state, dict)} if isinstance(states, dict) else {}
    edges = [edge for name, state in known.items() for edge in _edges(name, state) if edge.target in known]
    start = document.get("StartAt") if isinstance(document, dict) else ""
    nodes = tuple(_node(name, state) for name, state in known.items())
    return Graph(start if isinstance(start, str) and start in known else "", nodes, tuple(_joined(edges)))


def _node(name: str, state: dict[str, Any]) -> Node:
    kind = state.get("Type")
    kind = kind if isinstance(kind, str) else "?"
    branches = state.get("Branches") if kind == "Parallel" else [state.get("ItemProcessor", state.get("Iterator"))] if kind == "Map" else []
    inner = tuple(read_graph(branch) for branch in branches) if isinstance(branches, list) else ()
    return Node(name, kind, _about(kind, state), state.get("End") is True or kind in ("Succeed", "Fail"), inner)


def _about(kind: str, state: dict[str, Any]) -> str:
    match kind:
        case "Task":
            return _text(state.get("Resource"))
        case "Wait":
            for field in ("Seconds", "Timestamp", "SecondsPath", "TimestampPath"):
                if field in state:
                    until = "until " if field.startswith("Timestamp") else ""
                    return f"{until}{_bare(_text(state[field]))}{' s' if isinstance(state[field], int) else ''}"
        case "Fail":
            return _text(state.get("Error", state.get("ErrorPath")))
        case "Map":
            return f"for each of {_bare(_text(state.get('Items', state.get('ItemsPath', '$'))))}"
        case "Join":
            return f"{_text(state.get('Until', 'All'))} of {_text(state.get('Of'))}"
        case "Parallel" if state.get("Detached"):
            return "detached"
    return ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else as_json(value)


def _bare(text: str) -> str:
    """An expression without its {% %}."""
    return text.removeprefix("{%").removesuffix("%}").strip()


def _edges(name: str, state: dict[str, Any]) -> Iterator[Edge]:
    if isinstance(state.get("Next"), str):
        yield Edge(name, state["Next"], "next")
    for rule in _objects(state.get("Choices")):
        if isinstance(rule.get("Next"), str):
            yield Edge(name, rule["Next"], "rule", condition(rule))
    if isinstance(state.get("Default"), str):
        yield Edge(name, state["Default"], "default", "else")
    for catcher in _objects(state.get("Catch")):
        if isinstance(catcher.get("Next"), str):
            errors = catcher.get("ErrorEquals")
            names = [_text(error) for error in errors] if isinstance(errors, list) else []
            yield Edge(
                name, catcher["Next"], "catch", ", ".join("any error" if n == "States.ALL" else n.removeprefix("States.") for n in names)
            )


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _joined(edges: list[Edge]) -> Iterator[Edge]:
    """Edges of one kind between the same two states become one."""
    labels: dict[tuple[str, str, EdgeKind], list[str]] = {}
    for edge in edges:
        labels.setdefault((edge.source, edge.target, edge.kind), []).append(edge.label)
    for (source, target, kind), words in labels.items():
        yield Edge(source, target, kind, (" or " if kind == "rule" else ", ").join(dict.fromkeys(word for word in words if word)))


def condition(rule: dict[str, Any]) -> str:
    """A choice rule as people read it: ``$.total > 100 and $.paid``."""
    if isinstance(rule.get("Condition"), str):
        return _bare(rule["Condition"])
    for word in ("And", "Or"):
        if word in rule:
            inner = [condition(one) for one in _objects(rule[word])]
            return f" {word.lower()} ".join(f"({text})" if word == "And" and " or " in text else text for text in inner)
    if isinstance(rule.get("Not"), dict):
        text = condition(rule["Not"])
        return f"not ({text})" if " " in text else f"not {text}"
    for field, operand in rule.items():
        if text := _comparison(_text(rule.get("Variable")), field, operand):
            return text
    return as_json(rule["Condition"]) if "Condition" in rule else "?"


def _comparison(variable: str, field: str, operand: Any) -> str:
    if field in _IS:
        return f"{variable} is {'' if operand is not False else 'not '}{_IS[field]}"
    if field == "StringMatches":
        return f"{variable} like {as_json(operand)}"
    for family in _FAMILIES:
        order = field.removeprefix(family).removesuffix("Path")
        if field.startswith(family) and order in _SIGNS:
            if family == "Boolean" and isinstance(operand, bool):
                return variable if operand else f"not {variable}"
            return f"{variable} {_SIGNS[order]} {operand if field.endswith('Path') else as_json(operand)}"
    return ""
