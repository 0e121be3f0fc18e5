"""Choice rules: 39 comparison operators, ``And``, ``Or``, ``Not``. A type that does not fit is false, never an error."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sfc.asl.checks import Checks, at, came, did_you_mean
from sfc.asl.failure import Failure, Stop, runtime_failure
from sfc.asl.jsonata import is_expression
from sfc.asl.jsonpath import MISSING, Path
from sfc.asl.jsonpath_filter import is_number
from sfc.asl.states import Test
from sfc.asl.timestamps import parse_timestamp
from sfc.asl.values import read_typed

Compare = Callable[[Any, Any], bool]

_ORDERS: dict[str, Compare] = {
    "Equals": lambda left, right: bool(left == right),
    "LessThan": lambda left, right: bool(left < right),
    "GreaterThan": lambda left, right: bool(left > right),
    "LessThanEquals": lambda left, right: bool(left <= right),
    "GreaterThanEquals": lambda left, right: bool(left >= right),
}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> int | float | None:
    return value if is_number(value) else None


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


# How an operator's family sees a value: as something comparable, or None where the type does not fit.
_FAMILIES: dict[str, tuple[Callable[[Any], Any], str, tuple[str, ...]]] = {
    "String": (_text, "a text", tuple(_ORDERS)),
    "Numeric": (_number, "a number", tuple(_ORDERS)),
    "Boolean": (_truth, "true or false", ("Equals",)),
    "Timestamp": (parse_timestamp, "an RFC 3339 timestamp with Z or an offset, as in 2026-03-14T01:59:00Z", tuple(_ORDERS)),
}
_COMPARISONS = {family + order: (family, order) for family, (_, _, orders) in _FAMILIES.items() for order in orders}
_IS: dict[str, Callable[[Any], bool]] = {
    "IsNull": lambda value: value is None,
    "IsPresent": lambda value: value is not MISSING,
    "IsNumeric": is_number,
    "IsString": lambda value: isinstance(value, str),
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsTimestamp": lambda value: parse_timestamp(value) is not None,
}
OPERATORS: tuple[str, ...] = (*_COMPARISONS, *(f"{name}Path" for name in _COMPARISONS), "StringMatches", *_IS)
LOGIC = ("And", "Or", "Not")
RULE = ("Next", "Assign")  # what the outermost rules have besides; the caller reads these
RULE_JSONATA = ("Condition", "Next", "Assign", "Output", "Comment")


def read_rule(checks: Checks, document: Any, pointer: str, *, top: bool) -> Test | None:
    """Compiles one rule; ``top`` ones have a Next and an Assign, which the caller reads."""
    rule = checks.object(document, pointer, "a choice rule")
    if rule is None:
        return None
    kinds = [field for field in rule if field in (*LOGIC, *OPERATORS)]
    allowed = (*LOGIC, *OPERATORS, "Variable", "Comment", *(RULE if top else ()))
    unknown = [field for field in rule if field not in allowed]
    for field in unknown:
        hint = f"Only the outermost rule has {field}." if field in RULE else did_you_mean(field, allowed)
        if field in RULE_JSONATA and field not in RULE:
            hint = f'{field} belongs to JSONata: write "QueryLanguage": "JSONata" in the state.'
        checks.error("unknown-field", at(pointer, field), f"expected a field of a choice rule, came {field!r}", hint)
    if len(kinds) != 1:
        if kinds or not unknown:  # else it is the operator that is misspelt
            shown = " and ".join(kinds) or "none"
            checks.error("bad-rule", pointer, f"expected exactly one comparison operator, or And, Or, Not, came {shown}")
        if "Variable" in rule:
            checks.path(rule["Variable"], at(pointer, "Variable"), definite=True)
        for kind in kinds:  # what else is wrong with them
            (_logic if kind in LOGIC else _operator)(checks, kind, rule[kind], at(pointer, kind))
        return None
    kind = kinds[0]
    here = at(pointer, kind)
    if kind in LOGIC:
        if "Variable" in rule:
            checks.error(
                "mutually-exclusive", at(pointer, "Variable"), f"expected no Variable beside {kind}", "Put it into the inner rules."
            )
        return _logic(checks, kind, rule[kind], here)
    variable = None
    if checks.required(rule, "Variable", pointer, f"Write the path that {kind} looks at, as in $.total."):
        variable = checks.path(rule["Variable"], at(pointer, "Variable"), definite=True)
    test = _operator(checks, kind, rule[kind], here)
    if variable is None or test is None:
        return None
    return _bind(variable, test, present=kind == "IsPresent")


def read_condition(checks: Checks, document: Any, pointer: str, field: str) -> Test | None:
    """Compiles a rule in JSONata, ``{"Condition": "{% … %}", "Next": …}``; ``field``: its name in causes, as in Choices[0]."""
    rule = checks.object(document, pointer, "a choice rule")
    if rule is None:
        return None
    for name in rule:
        if name not in RULE_JSONATA:
            hint = "A comparison is written as a Condition in JSONata." if name in (*OPERATORS, *LOGIC, "Variable") else ""
            message = f"expected a field of a choice rule in JSONata, came {name!r}"
            checks.error("unknown-field", at(pointer, name), message, hint or did_you_mean(name, RULE_JSONATA))
    if not checks.required(rule, "Condition", pointer, 'Write one like "{% $states.input.total > 100 %}".'):
        return None
    condition, here = rule["Condition"], at(pointer, "Condition")
    if isinstance(condition, bool):
        return lambda value, context: condition
    if not is_expression(condition):
        checks.wrong_type(here, "true, false or a text that begins with {% and ends with %}", condition)
        return None
    step = read_typed(checks, condition, here, f"{field}/Condition", "boolean", lambda found: isinstance(found, bool))

    def holds(value: Any, context: Any) -> bool:
        found = step(value, context)
        if isinstance(found, Failure):
            raise Stop(found)
        return bool(found)

    return holds


def _logic(checks: Checks, kind: str, document: Any, pointer: str) -> Test | None:
    if kind == "Not":
        inner = read_rule(checks, document, pointer, top=False)
        return None if inner is None else lambda value, context: not inner(value, context)
    if not isinstance(document, list) or not document:
        checks.wrong_type(pointer, "a list of rules with at least one", document)
        return None
    read = [read_rule(checks, item, at(pointer, number), top=False) for number, item in enumerate(document)]
    rules = [rule for rule in read if rule is not None]
    if len(rules) < len(read):
        return None
    if kind == "And":
        return lambda value, context: all(rule(value, context) for rule in rules)
    return lambda value, context: any(rule(value, context) for rule in rules)


def _operator(checks: Checks, kind: str, operand: Any, pointer: str) -> Callable[[Any, Any, Any], bool] | None:
    """A test over (what the Variable found, the state's input, the context)."""
    if kind in _IS:
        check = _IS[kind]
        if not isinstance(operand, bool):
            checks.wrong_type(pointer, "true or false", operand)
            return None
        return lambda found, value, context: check(found) is operand
    if kind == "StringMatches":
        if not isinstance(operand, str):
            checks.wrong_type(pointer, "a text", operand)
            return None
        matches = wildcard(operand)
        return lambda found, value, context: isinstance(found, str) and matches(found)
    family, order = _COMPARISONS[kind.removesuffix("Path")]
    view, wanted, _ = _FAMILIES[family]
    compare = _ORDERS[order]
    if kind.endswith("Path"):
        other = checks.path(operand, pointer, definite=True)
        if other is None:
            return None

        def test(found: Any, value: Any, context: Any) -> bool:
            left, right = view(found), view(_found(other, value, context))
            return left is not None and right is not None and compare(left, right)

        return test
    right = view(operand)
    if right is None:
        code = "bad-timestamp" if family == "Timestamp" and isinstance(operand, str) else "wrong-type"
        checks.error(code, pointer, f"expected {wanted}, {came(operand)}")
        return None
    return lambda found, value, context: (left := view(found)) is not None and compare(left, right)


def _found(path: Path, value: Any, context: Any) -> Any:
    found = path.find(value, context)
    if found is MISSING:
        raise Stop(runtime_failure(f"Invalid path '{path.text}': The choice state's condition path references an invalid value."))
    return found


def _bind(variable: Path, test: Callable[[Any, Any, Any], bool], *, present: bool) -> Test:
    if present:
        return lambda value, context: test(variable.find(value, context), value, context)
    return lambda value, context: test(_found(variable, value, context), value, context)


def wildcard(pattern: str) -> Callable[[str], bool]:
    r"""``*`` stands for any text, ``\*`` and ``\\`` for themselves. Time grows with the text's length only, whatever the pattern."""
    pieces = [""]
    for token in re.findall(r"\\[*\\]|.", pattern, re.DOTALL):
        if token == "*":
            pieces.append("")
        else:
            pieces[-1] += token[-1]
    if len(pieces) == 1:
        return lambda text: text == pieces[0]
    first, *middle, last = pieces

    def matches(text: str) -> bool:
        end = len(text) - len(last)
        if end < len(first) or not text.startswith(first) or not text.endswith(last):
            return False
        position = len(first)
        for piece in middle:
            position = text.find(piece, position, end)
            if position < 0:
                return False
            position += len(piece)
        return True

    return matches
