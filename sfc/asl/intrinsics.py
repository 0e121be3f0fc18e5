"""Intrinsic functions (``States.Format('{} of {}', $.a, $.b)``): read once, called as closures."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sfc.asl.failure import Failure, Stop, as_json, runtime_failure
from sfc.asl.functions import FUNCTIONS, TYPES, FunctionError
from sfc.asl.jsonpath import MISSING, PathError, compile_path
from sfc.asl.jsonpath_text import unescape

_NAME = re.compile(r"States\.([A-Za-z0-9]+)\s*\(\s*")
_TEXT = re.compile(r"'((?:\\.|[^'\\])*)'", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"true|false|null")
_WORDS = {"true": True, "false": False, "null": None}
_PATH = re.compile(
    r"\$\$?[A-Za-z_0-9]*(?:\.\.?(?:\*|(?:\\.|[^\\.\[\]()\s,'\"])+)|\[(?:'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[^\]'\"]+)+\])*"
)
_BLANKS = re.compile(r"\s*")
_DEPTH_MAX = 10  # Step Functions' own limit of calls in one another
_NOT_YET = ("MathRandom", "UUID")  # their chance must be an argument of the flow's, so that deciding again gives the same

Evaluate = Callable[[Any, Any], Any]


def compile_intrinsic(text: str) -> Evaluate:
    """A step (value, context) -> result or Failure. Raises PathError for a text that can't be understood."""
    evaluate, end = _call(text, 0, 1)
    if text[end:].strip():
        raise _stuck(text, end, "expected the end")

    def step(value: Any, context: Any) -> Any:
        try:
            return evaluate(value, context)
        except Stop as stop:
            return stop.failure
        except FunctionError as error:
            return runtime_failure(f"The function '{text}' had the following error: {error}")

    return step


def _call(text: str, position: int, depth: int) -> tuple[Evaluate, int]:
    head = _NAME.match(text, position)
    if head is None:
        raise _stuck(text, position, "expected a function, as in States.Format('{}', $.a)")
    name = head.group(1)
    if depth > _DEPTH_MAX:
        raise PathError(f"expected at most {_DEPTH_MAX} calls in one another in {text}")
    if name in _NOT_YET:
        raise PathError(f"States.{name} is not yet supported", "not-yet")
    function = FUNCTIONS.get(name)
    if function is None:
        raise PathError(f"expected one of {', '.join(FUNCTIONS)}, came States.{name}")
    arguments, end = _arguments(text, head.end(), depth, raw_first=name == "Format")
    least, most = function.least, function.most
    if not least <= len(arguments) <= (len(arguments) if most is None else most):
        count = f"{least}" if least == most else f"at least {least}" if most is None else f"{least} to {most}"
        raise PathError(f"expected {count} arguments of States.{name}, came {len(arguments)} in {text}")
    for number, (literal, _) in enumerate(arguments):
        kind = function.kind(number)
        if literal is not None and not TYPES[kind](literal[0]):
            raise PathError(f"expected {kind} as argument {number + 1} of States.{name}, came {as_json(literal[0])} in {text}")
    run = function.run
    evaluates = [evaluate for _, evaluate in arguments]

    def evaluate(value: Any, context: Any) -> Any:
        given = [each(value, context) for each in evaluates]
        for number, each in enumerate(given):
            kind = function.kind(number)
            if not TYPES[kind](each):
                raise FunctionError(f"expected {kind} as argument {number + 1} of States.{name}, came {as_json(each)}")
        return run(*given)

    return evaluate, end


def _arguments(text: str, position: int, depth: int, *, raw_first: bool) -> tuple[list[tuple[tuple[Any] | None, Evaluate]], int]:
    """Arguments, each with its value in a one-tuple if it is a literal, and the position behind the closing parenthesis."""
    read: list[tuple[tuple[Any] | None, Evaluate]] = []
    if text.startswith(")", position):
        return read, position + 1
    while True:
        literal, evaluate, position = _argument(text, position, depth, raw=raw_first and not read)
        read.append((literal, evaluate))
        position = _blanks(text, position)
        if text.startswith(")", position):
            return read, position + 1
        if not text.startswith(",", position):
            raise _stuck(text, position, "expected , or )")
        position = _blanks(text, position + 1)


def _argument(text: str, position: int, depth: int, *, raw: bool) -> tuple[tuple[Any] | None, Evaluate, int]:
    if quoted := _TEXT.match(text, position):
        body = quoted.group(1)
        for escape in re.findall(r"\\(.)", body, re.DOTALL):
            if escape not in "'{}\\":
                raise PathError(f"expected one of \\' \\{{ \\}} \\\\ in {text}, came \\{escape}")
        text_value = body if raw else unescape(body)  # the template of Format keeps its escapes: \\{} is no place for a value
        return (text_value,), _constant(text_value), quoted.end()
    if number := _NUMBER.match(text, position):
        digits = number.group()
        value = float(digits) if any(sign in digits for sign in ".eE") else int(digits)
        return (value,), _constant(value), number.end()
    if word := _WORD.match(text, position):
        return (_WORDS[word.group()],), _constant(_WORDS[word.group()]), word.end()
    if path := _PATH.match(text, position):
        return None, _lookup(path.group(), text), path.end()
    if text.startswith("States.", position):
        evaluate, end = _call(text, position, depth + 1)
        return None, evaluate, end
    raise _stuck(text, position, "expected a text in '…', a number, true, false, null, a path or a function")


def _constant(value: Any) -> Evaluate:
    return lambda _value, _context: value


def _lookup(path_text: str, call: str) -> Evaluate:
    path = compile_path(path_text)

    def evaluate(value: Any, context: Any) -> Any:
        found = path.find(value, context)
        if found is MISSING:
            raise Stop(_missing(path_text, call, value))
        return found

    return evaluate


def _missing(path: str, call: str, value: Any) -> Failure:
    return runtime_failure(
        f"The function '{call}' had the following error: The JsonPath argument for the field '{path}' could not be found in the input "
        f"'{as_json(value)}'"
    )


def _blanks(text: str, position: int) -> int:
    blanks = _BLANKS.match(text, position)
    return blanks.end() if blanks else position


def _stuck(text: str, position: int, expected: str) -> PathError:
    came = repr(text[position : position + 10]) if position < len(text) else "the end"
    return PathError(f"{expected} at character {position + 1} of {text}, came {came}")
