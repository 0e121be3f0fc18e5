"""JSONata: one expression, compiled once. The library behind it (jlens) is known to this module alone.

An expression sees ``$states`` (``input``, ``context``, and where they exist ``result`` or ``errorOutput``) and the variables. It gives
the same for the same, always: time and chance come with the context, and what bounds it are steps, depth and sizes, never time.

Numbers are IEEE doubles once an expression calculates with them, so that whole numbers above 2**53 lose digits, as they do in Step
Functions. An expression that only names a place (``$states.input.order``) hands on what is there as it is, however large the number.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from jlens import Expression, JlensError

from sfc.asl.checks import Checks
from sfc.asl.context import Context
from sfc.asl.failure import Stop, query_failure
from sfc.asl.functions import FunctionError
from sfc.asl.jsonata_functions import FUNCTIONS, PARSE, chance_functions
from sfc.asl.jsonpath import MISSING

INPUT: Final = ("input", "context")
RESULT: Final = (*INPUT, "result")
ERROR_OUTPUT: Final = (*INPUT, "errorOutput")

Evaluate = Callable[[Any, Any], Any]  # (the state's input, context) -> a value; raises Stop

# Part of what decide decides: see sfc.engine.rules before changing one. The library bounds no memory: what an expression can hold is about
# its steps times the longest list, so both are chosen for payloads of at most 256 KiB. A step takes 0.1 µs, of a regular expression 14.
_LIMITS: dict[str, int] = {
    "max_depth": 500,
    "max_steps": 200_000,
    "max_array_length": 10_000,
    "max_string_length": 262_144,
    "max_result_size": 1_048_576,
}
_NAME = r"[^\W\d]\w*"
_PLACE = re.compile(rf"\$(?:states\.(input|context|result|errorOutput)|({_NAME}))((?:\.{_NAME})*)")
_VARIABLE = re.compile(rf"\$({_NAME})")
_MEMBER = re.compile(rf"\$states\s*\.\s*`?({_NAME})")
_OWN_NAMES = re.compile(r"\bfunction\b|λ|:=")
_BY_CHANCE = re.compile(r"\$(?:random|uuid|shuffle)\b")


def _stub(value: Any) -> Any:
    """Stands for a function while an expression is read. No built-in: to ask for its signature, as the library does, takes 200 µs."""
    return value


_STUBS: dict[str, Any] = dict.fromkeys((*FUNCTIONS, "parse", "random", "uuid"), _stub)


def is_expression(value: Any) -> bool:
    """Whether a value of the document is written as an expression: exactly ``{%…%}``."""
    return isinstance(value, str) and len(value) >= 4 and value.startswith("{%") and value.endswith("%}")


def read_expression(checks: Checks, text: str, pointer: str, field: str, members: tuple[str, ...]) -> Evaluate | None:
    """Compiles ``{%…%}``. ``field``: its place as causes name it, as in Output/total; ``members``: those of ``$states`` in that place."""
    source = text[2:-2]
    try:
        reads = Expression(source).reads(_STUBS)
        general = _General(source.strip(), field, pointer)
    except (JlensError, UnicodeError) as error:
        at = getattr(error, "start", None)
        where = f" at character {at + 3}" if at is not None and at <= len(source) else ""
        checks.error("bad-jsonata", pointer, f"expected a JSONata expression, came one that makes no sense{where}: {error}")
        return None
    names = set(reads["bindings"]) - {"states", *_STUBS}
    if not _known(checks, source, pointer, names, everything="everyBinding" in reads):
        return None
    read = reads["bindings"].get("states", {})
    _members(checks, source, pointer, read, members)
    outside = reads.get("input", {})
    if outside:
        _outside(checks, source, pointer, outside)
    general.in_context = read is True or "context" in read
    return _evaluation(general, names)


def _known(checks: Checks, source: str, pointer: str, names: set[str], *, everything: bool) -> bool:
    """Whether all functions are known. What no function and no local name is are variables, and these hold no functions."""
    if everything:
        at = source.find("$eval") + 3
        checks.error("unknown-function", pointer, f"expected no $eval, which is not supported, came one at character {at}")
        return False
    for name in sorted(names):
        call = re.search(rf"\${name}\s*\(|~>\s*\${name}\b", source)
        if call is not None:
            message = f"expected a function of JSONata, came ${name} at character {call.start() + 3}"
            checks.error("unknown-function", pointer, message, "Variables hold values, never functions.")
            return False
    return True


def _members(checks: Checks, source: str, pointer: str, read: Any, members: tuple[str, ...]) -> None:
    for name in sorted(read) if isinstance(read, dict) else ():
        if name in members:
            continue
        found = next((each for each in _MEMBER.finditer(source) if each.group(1) == name), None)
        where = "" if found is None else f" at character {found.start() + 3}"
        hint = {
            "result": "It exists in the Output and Assign of Task, Parallel, Map and Join states.",
            "errorOutput": "It exists in a catcher's Output and Assign.",
        }.get(name, "")
        checks.error("bad-jsonata", pointer, f"expected one of {', '.join(members)} in $states here, came $states.{name}{where}", hint)


def _outside(checks: Checks, source: str, pointer: str, outside: Any) -> None:
    """``$``, ``$$`` and bare names at the top: there is no document around an expression, only ``$states``."""
    if isinstance(outside, dict):
        name = next(iter(outside))
        message = f"expected no name by itself at the top of an expression, came {name!r}"
        checks.error("bad-jsonata", pointer, message, f"Write $states.input.{name}, or ${name} for a variable.")
    elif re.search(r"\$\$|\$(?!\w)", source) or not _OWN_NAMES.search(source):
        # Else it calls a function of its own: what that reads can't be told.
        message = "expected no $ or $$ at the top of an expression, nor a function that takes it as its argument, came one"
        checks.error("bad-jsonata", pointer, message, "Write $states.input for the state's input.")


def _evaluation(general: _General, names: set[str]) -> Evaluate:
    place = _PLACE.fullmatch(general.source)
    if place is None or (place.group(2) is not None and place.group(2) not in names):
        return general.evaluate
    path = tuple(place.group(3).split(".")[1:])
    return _place(general.source, general.field, place.group(1), place.group(2), path, general.evaluate)


def _place(source: str, field: str, member: str | None, variable: str | None, path: tuple[str, ...], general: Evaluate) -> Evaluate:
    """An expression that only names a place. A list on the way is the library's to map over."""

    def evaluate(value: Any, context: Any) -> Any:
        if member == "input":
            found = value
        elif member == "context":
            found = context.object
        elif member is not None:
            found = context.states.get(member, MISSING)
        else:
            found = context.variables.get(variable, MISSING)
        for name in path:
            if found.__class__ is dict:
                found = found.get(name, MISSING)
            elif found.__class__ is list:
                return general(value, context)
            else:
                found = MISSING
        if found is MISSING:
            raise Stop(query_failure(undefined(source, field), field))
        return found

    return evaluate


class _General:
    """Any expression."""

    def __init__(self, source: str, field: str, pointer: str) -> None:
        self.source = source
        self.field = field
        self.pointer = pointer
        self.in_context = True  # whether it reads the context object
        self.by_chance = _BY_CHANCE.search(source) is not None
        head = "".join(f"${name} := $$.v.`{name}`; " for name in _variables(source))
        parse = PARSE if "$parse" in source else ""
        self.head = f"({parse}$states := $$.s; {head}"
        self.expression = self._expression(f"{{'r': ({source})}}")

    def _expression(self, body: str) -> Expression:
        made = Expression(f"{self.head}{body})")
        for name, (run, signature) in FUNCTIONS.items():
            if name in made.source:
                made.register_function(name, run, signature)
        return made

    def evaluate(self, value: Any, context: Context) -> Any:
        states = {"input": value, **context.states}
        if self.in_context:
            states["context"] = context.object
        found = self._run(self.expression, states, context)
        if "r" in found:
            return found["r"]
        if self._run(self._expression(f"{{'r': $type({self.source})}}"), states, context).get("r") == "function":
            place = f"The JSONata expression '{self.source}' specified for the field '{self.field}'"
            raise self._stop(f"{place} returned an unsupported result type.")
        raise self._stop(undefined(self.source, self.field))

    def _run(self, expression: Expression, states: dict[str, Any], context: Context) -> dict[str, Any]:
        seed, functions = 0, None
        if self.by_chance:
            functions = chance_functions(context, self.pointer)
            seed = int.from_bytes(context.digest(self.pointer)[:7], "big")
        try:
            found: dict[str, Any] = expression.evaluate(
                {"s": states, "v": context.variables}, functions, now=context.now_ms, seed=seed, **_LIMITS
            )
        except JlensError as error:
            raise self._threw(f"{error.code}: {error}") from None
        except FunctionError as error:
            raise self._threw(str(error)) from None
        except BaseException as error:
            # A value that the library can't take (a lone surrogate), or a fault of its own, which does not derive from Exception.
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":
                raise self._threw(type(error).__name__) from None
            raise
        return found

    def _threw(self, what: str) -> Stop:
        return self._stop(
            f"The JSONata expression '{self.source}' specified for the field '{self.field}' threw an error during evaluation. {what}"
        )

    def _stop(self, cause: str) -> Stop:
        return Stop(query_failure(cause, self.field))


def _variables(source: str) -> list[str]:
    """All names that may be variables: those of functions' parameters do no harm."""
    found = sorted(set(_VARIABLE.findall(source)) - {"states"} - set(_STUBS))
    return [name for name in found if Expression(f"${name}").reads()["bindings"]]


def undefined(source: str, field: str) -> str:
    """What Step Functions says about an expression that finds nothing."""
    return f"The JSONata expression '{source}' specified for the field '{field}' returned nothing (undefined)."
