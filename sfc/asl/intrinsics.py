"""Intrinsic functions (``States.Format('{} of {}', $.a, $.b)``): read once, called as closures."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sfc.asl.failure import Failure, Stop, as_json, runtime_failure
from sfc.asl.functions import FUNCTIONS, TYPES, Function, FunctionError
from sfc.asl.jsonpath import MISSING, PathError, compile_path
from sfc.asl.jsonpath_text import read_number, unescape

_NAME = re.compile(r"States\.([A-Za-z0-9]+)\s*\(\s*")
_TEXT = re.compile(r"'((?:\\.|[^'\\])*)'", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"true|false|null")
_WORDS = {"true": True, "false": False, "null": None}
_PATH = re.compile(
    r"\$\$?[A-Za-z_0-9]*(?:\.\.?(?:\*|(?:\\.|[^\\.\[\]()\s,'\"])+)|\.?\[(?:'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[^\]'\"]+)+\])*"
)
_BLANKS = re.compile(r"\s*")
_DEPTH_MAX = 10  # Step Functions' own limit of calls in one another

Evaluate = Callable[[Any, Any], Any]


def compile_intrinsic(text: str, place: str = "", *, scoped: bool = True) -> Evaluate:
    """A step (value, context) -> result or Failure. Raises PathError for a text that can't be understood.

    ``place``: a JSON pointer, so that each field draws chance of its own; ``scoped``: whether there are variables and chance at all.
    """
    evaluate, end = _Call(text, place, scoped).read(0, 1)
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


class _Call:
    """The reader of one text."""

    def __init__(self, text: str, place: str, scoped: bool) -> None:
        self.text = text
        self.place = place
        self.scoped = scoped

    def read(self, position: int, depth: int) -> tuple[Evaluate, int]:
        """The call that stands at the position, and the position behind it."""
        text = self.text
        head = _NAME.match(text, position)
        if head is None:
            raise _stuck(text, position, "expected a function, as in States.Format('{}', $.a)")
        name = head.group(1)
        if depth > _DEPTH_MAX:
            raise PathError(f"expected at most {_DEPTH_MAX} calls in one another in {text}")
        function = FUNCTIONS.get(name)
        if function is None:
            raise PathError(f"expected one of {', '.join(FUNCTIONS)}, came States.{name}")
        if function.by_chance and not self.scoped:
            raise PathError(f"expected a function that gives the same each time, came States.{name}: there is no chance here")
        arguments, end = self._arguments(head.end(), depth, raw_first=name == "Format")
        least, most = function.least, function.most
        if not least <= len(arguments) <= (len(arguments) if most is None else most):
            count = f"{least}" if least == most else f"at least {least}" if most is None else f"{least} to {most}"
            raise PathError(f"expected {count} arguments of States.{name}, came {len(arguments)} in {text}")
        for number, (literal, _) in enumerate(arguments):
            kind = function.kind(number)
            if literal is not None and not TYPES[kind](literal[0]):
                raise PathError(f"expected {kind} as argument {number + 1} of States.{name}, came {as_json(literal[0])} in {text}")
        return _evaluation(name, function, [evaluate for _, evaluate in arguments], self.place), end

    def _arguments(self, position: int, depth: int, *, raw_first: bool) -> tuple[list[tuple[tuple[Any] | None, Evaluate]], int]:
        """Arguments, each with its value in a one-tuple if it is a literal, and the position behind the closing parenthesis."""
        text = self.text
        read: list[tuple[tuple[Any] | None, Evaluate]] = []
        if text.startswith(")", position):
            return read, position + 1
        while True:
            literal, evaluate, position = self._argument(position, depth, raw=raw_first and not read)
            read.append((literal, evaluate))
            position = _blanks(text, position)
            if text.startswith(")", position):
                return read, position + 1
            if not text.startswith(",", position):
                raise _stuck(text, position, "expected , or )")
            position = _blanks(text, position + 1)

    def _argument(self, position: int, depth: int, *, raw: bool) -> tuple[tuple[Any] | None, Evaluate, int]:
        text = self.text
        if quoted := _TEXT.match(text, position):
            body = quoted.group(1)
            for escape in re.findall(r"\\(.)", body, re.DOTALL):
                if escape not in "'{}\\":
                    raise PathError(f"expected one of \\' \\{{ \\}} \\\\ in {text}, came \\{escape}")
            text_value = body if raw else unescape(body)  # the template of Format keeps its escapes: \\{} is no place for a value
            return (text_value,), _constant(text_value), quoted.end()
        if number := _NUMBER.match(text, position):
            value = read_number(number.group(), text, position)
            return (value,), _constant(value), number.end()
        if word := _WORD.match(text, position):
            return (_WORDS[word.group()],), _constant(_WORDS[word.group()]), word.end()
        if path := _PATH.match(text, position):
            return None, _lookup(path.group(), text, self.scoped), path.end()
        if text.startswith("States.", position):
            evaluate, end = self.read(position, depth + 1)
            return None, evaluate, end
        raise _stuck(text, position, "expected a text in '…', a number, true, false, null, a path or a function")


def _evaluation(name: str, function: Function, evaluates: list[Evaluate], place: str) -> Evaluate:
    run = function.run

    def evaluate(value: Any, context: Any) -> Any:
        given = [each(value, context) for each in evaluates]
        for number, each in enumerate(given):
            kind = function.kind(number)
            if not TYPES[kind](each):
                raise FunctionError(f"expected {kind} as argument {number + 1} of States.{name}, came {as_json(each)}")
        return run(context.digest(place), *given) if function.by_chance else run(*given)

    return evaluate


def _constant(value: Any) -> Evaluate:
    return lambda _value, _context: value


def _lookup(path_text: str, call: str, scoped: bool) -> Evaluate:
    path = compile_path(path_text, variables=scoped)

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
