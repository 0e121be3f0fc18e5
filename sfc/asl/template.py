"""Payload templates (``Parameters``, ``ResultSelector``): JSON in which fields ending in ``.$`` hold paths or intrinsic functions."""

from __future__ import annotations

from typing import Any

from sfc.asl.checks import Checks, at
from sfc.asl.failure import Failure, Stop, as_json, runtime_failure
from sfc.asl.jsonpath import MISSING, Path
from sfc.asl.states import Step, step_of


def read_template(checks: Checks, document: Any, pointer: str) -> Step | None:
    """Compiles a template: (value, context) -> what it makes, or a Failure."""
    return step_of(document, _node(checks, document, pointer))


def _node(checks: Checks, document: Any, pointer: str) -> Step | None:
    """A closure for a part with paths in it (it may raise Stop), None for a constant part."""
    if isinstance(document, list):
        items = [(_node(checks, item, at(pointer, number)), item) for number, item in enumerate(document)]
        if all(node is None for node, _ in items):
            return None
        return lambda value, context: [item if node is None else node(value, context) for node, item in items]
    if not isinstance(document, dict):
        return None
    constants: dict[str, Any] = {}
    nodes: list[tuple[str, Step]] = []
    for key, item in document.items():
        here = at(pointer, key)
        if key.endswith(".$"):
            name = key[:-2]
            if name in document:
                checks.error("duplicate-field", here, f"expected {name!r} once, came {name!r} and {key!r}", "Remove one of the two.")
            node = _expression(checks, key, item, here)
        else:
            name, node = key, _node(checks, item, here)
        constants[name] = item  # holds the place, so that fields keep the document's order
        if node is not None:
            nodes.append((name, node))
    if not nodes:
        return None

    def build(value: Any, context: Any) -> Any:
        made = constants.copy()
        for name, node in nodes:
            made[name] = node(value, context)
        return made

    return build


def _expression(checks: Checks, key: str, text: Any, pointer: str) -> Step | None:
    if isinstance(text, str) and text.startswith("States."):
        intrinsic = checks.step_or_intrinsic(text, pointer)
        return None if intrinsic is None else _stopping(intrinsic)
    path = checks.path(text, pointer)
    return None if path is None else _lookup(key, path)


def _stopping(step: Step) -> Step:
    def node(value: Any, context: Any) -> Any:
        found = step(value, context)
        if found.__class__ is Failure:
            raise Stop(found)
        return found

    return node


def _lookup(key: str, path: Path) -> Step:
    find, text = path.find, path.text

    def node(value: Any, context: Any) -> Any:
        found = find(value, context)
        if found is MISSING:
            raise Stop(
                runtime_failure(f"The JSONPath '{text}' specified for the field '{key}' could not be found in the input '{as_json(value)}'")
            )
        return found

    return node
