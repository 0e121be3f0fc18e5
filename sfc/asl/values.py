"""Values of a JSONata state: any JSON, in which texts that are exactly ``{%…%}`` are expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sfc.asl.checks import Checks, at, came
from sfc.asl.failure import Failure, as_json, query_failure
from sfc.asl.jsonata import INPUT, Evaluate, is_expression, read_expression
from sfc.asl.states import Step, step_of


def read_value(checks: Checks, document: Any, pointer: str, field: str, members: tuple[str, ...] = INPUT) -> Step:
    """Compiles a value: (the state's input, context) -> what it makes, or a Failure.

    ``field``: its name in causes, as in Output or ItemSelector. ``members``: those of ``$states`` that exist there, see
    ``sfc.asl.jsonata``.
    """
    return step_of(document, _node(checks, document, pointer, field, members))


def read_typed(
    checks: Checks, text: str, pointer: str, field: str, kind: str, fits: Callable[[Any], bool], members: tuple[str, ...] = INPUT
) -> Step:
    """An expression that has to give a certain type: ``kind`` is JSONata's name of it (number, string, boolean, array, object)."""
    inner = read_value(checks, text, pointer, field, members)
    source = text[2:-2].strip()

    def step(value: Any, context: Any) -> Any:
        found = inner(value, context)
        if found.__class__ is Failure or fits(found):
            return found
        return unexpected(source, field, kind, found)

    return step


def unexpected(source: str, field: str, kind: str, found: Any) -> Failure:
    """What Step Functions says about a result of another type."""
    cause = (
        f"The JSONata expression '{source}' specified for the field '{field}' returned an unexpected result type. "
        f"Expected '{kind}', but was '{type_name(found)}' for value: {as_json(found)}"
    )
    return query_failure(cause, field)


def is_whole(value: Any) -> bool:
    """Whether a result is a whole number; the library gives these as int."""
    return isinstance(value, int) and not isinstance(value, bool)


def type_name(value: Any) -> str:
    """The type of a value in JSONata's words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object" if isinstance(value, dict) else "number"


def _node(checks: Checks, document: Any, pointer: str, field: str, members: tuple[str, ...]) -> Evaluate | None:
    """A closure for a part with expressions in it (it may raise Stop), None for a constant part."""
    if isinstance(document, str):
        return _text(checks, document, pointer, field, members)
    if isinstance(document, list):
        items = [(_node(checks, item, at(pointer, number), f"{field}[{number}]", members), item) for number, item in enumerate(document)]
        if all(node is None for node, _ in items):
            return None
        return lambda value, context: [item if node is None else node(value, context) for node, item in items]
    if not isinstance(document, dict):
        return None
    read = [(name, _node(checks, item, at(pointer, name), f"{field}/{name}", members)) for name, item in document.items()]
    nodes = [(name, node) for name, node in read if node is not None]
    if not nodes:
        return None

    def build(value: Any, context: Any) -> Any:
        made = dict(document)
        for name, node in nodes:
            made[name] = node(value, context)
        return made

    return build


def _text(checks: Checks, text: str, pointer: str, field: str, members: tuple[str, ...]) -> Evaluate | None:
    if is_expression(text):
        return read_expression(checks, text, pointer, field, members)
    if text.startswith("{%") or text.endswith("%}"):
        message = f"expected a text that begins with {{% and ends with %}}, or neither, {came(text)}"
        checks.error("bad-jsonata", pointer, message, "Nothing, not even a blank, may stand before {% and behind %}.")
    return None
