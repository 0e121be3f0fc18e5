"""Reads the text of a JSONPath into steps; see ``sfc.asl.jsonpath`` for what they mean."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class PathError(ValueError):
    """A path that can't be understood. ``code`` is "bad-path", or "not-yet" for what the language has and this release lacks."""

    def __init__(self, message: str, code: str = "bad-path") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Wild:
    """``*``: every child; ``deep`` (after ``..``): every descendant."""

    deep: bool


@dataclass(frozen=True, slots=True)
class Slice:
    """``[start:stop:step]`` of an array."""

    start: int | None
    stop: int | None
    step: int | None


@dataclass(frozen=True, slots=True)
class Union:
    """``['a','b']``, ``[0,2]``, and (``deep``) ``..name``."""

    names: tuple[str | int, ...]
    deep: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """``[?(…)]``: the members of an array for which ``holds(member, root)``."""

    holds: Callable[[Any, Any], bool]
    deep: bool = False


Step = str | int | Wild | Slice | Union | Filter

_NAME = re.compile(r"(?:\\.|[^\\.\[\]()\s,'\"*?@:])+", re.DOTALL)
_QUOTED = re.compile(r"'((?:\\.|[^'\\])*)'|\"((?:\\.|[^\"\\])*)\"", re.DOTALL)
_QUOTED_NEXT = re.compile(r"\[[ \t]*['\"]")
_INDEX = re.compile(r"-?\d{1,9}")
_SLICE = re.compile(r"\s*(-?\d{1,9})?\s*:\s*(-?\d{1,9})?\s*(?::\s*(-?\d{1,9})?\s*)?")
_FROM_END = re.compile(r"\[\(\s*@\.length\s*-\s*(\d{1,9})\s*\)\]")  # [(@.length-1)], the older form of [-1]
_VARIABLE = re.compile(r"\$([^\W\d]\w*)")


def unescape(text: str) -> str:
    r"""``\.`` stands for ``.``, and so for every character behind a backslash."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL) if "\\" in text else text


def read_number(digits: str, text: str, position: int) -> int | float:
    """A number that stands at a position of a text. Raises PathError where no payload could carry it."""
    try:
        number = float(digits) if any(sign in digits for sign in ".eE") else int(digits)  # int takes no more than 4,300 digits
    except ValueError:
        number = math.inf
    if not math.isfinite(number):
        shown, where = (each if len(each) <= 60 else f"{each[:57]}…" for each in (digits, text))
        raise PathError(f"expected a number that a double can hold at character {position + 1} of {where}, came {shown}")
    return number


def parse_path(text: str) -> tuple[str, tuple[Step, ...]]:
    """Where the path begins ("" the value, "$" the context object, else the variable of that name), and its steps. Raises PathError."""
    if not isinstance(text, str) or not text.startswith("$"):
        raise PathError(f"expected a path beginning with $, came {text!r}")
    root, position = "", 1
    if text.startswith("$$"):
        root, position = "$", 2
    elif variable := _VARIABLE.match(text):
        root, position = variable.group(1), variable.end()
    steps: list[Step] = []
    while position < len(text):
        position = _segment(text, position, steps)
    return root, tuple(steps)


def _segment(text: str, position: int, steps: list[Step]) -> int:
    """Reads one segment, appends its step, and gives the position behind it."""
    deep = text.startswith("..", position)
    if deep:
        position += 2
    elif text[position] == ".":
        position += 1
    elif text[position] != "[":
        raise _stuck(text, position, "expected . or [")
    if position < len(text) and text[position] == "[":
        if not deep and text[position - 1] == "." and not _QUOTED_NEXT.match(text, position):
            raise _stuck(text, position, "expected a name behind the point")  # .['a'] is one, as AWS writes it; .[0] is none
        return _bracket(text, position, deep, steps)
    if text.startswith("*", position):
        steps.append(Wild(deep))
        return position + 1
    name = _NAME.match(text, position)
    if name is None:
        raise _stuck(text, position, "expected a name (['…'] takes names with blanks and signs)")
    key = unescape(name.group())
    steps.append(Union((key,), deep=True) if deep else key)
    return name.end()


def _bracket(text: str, position: int, deep: bool, steps: list[Step]) -> int:
    from_end = _FROM_END.match(text, position)
    if from_end is not None and not deep:
        steps.append(-int(from_end.group(1)))
        return from_end.end()
    if text.startswith("[?", position):
        from sfc.asl.jsonpath_filter import read_filter  # it reads paths in its turn

        holds, end = read_filter(text, position + 2)
        steps.append(Filter(holds, deep))
        return _close(text, end)
    position += 1
    if text.startswith("*]", position):
        steps.append(Wild(deep))
        return position + 2
    part = _SLICE.match(text, position)
    if part is not None and not deep:
        start, stop, step = (None if number is None else int(number) for number in part.groups())
        if step is not None and step <= 0:
            raise _stuck(text, position, "expected a step above 0")
        steps.append(Slice(start, stop, step))
        return _close(text, part.end())
    names: list[str | int] = []
    while True:
        position = _blanks(text, position)
        quoted = _QUOTED.match(text, position)
        index = _INDEX.match(text, position)
        if quoted is not None:
            names.append(unescape(quoted.group(1) if quoted.group(1) is not None else quoted.group(2)))
            position = quoted.end()
        elif index is not None:
            names.append(int(index.group()))
            position = index.end()
        else:
            raise _stuck(text, position, "expected a number, a quoted name, * or a filter")
        position = _blanks(text, position)
        if not text.startswith(",", position):
            break
        position += 1
    steps.append(names[0] if len(names) == 1 and not deep else Union(tuple(names), deep))
    return _close(text, position)


def _close(text: str, position: int) -> int:
    position = _blanks(text, position)
    if not text.startswith("]", position):
        raise _stuck(text, position, "expected ]")
    return position + 1


def _blanks(text: str, position: int) -> int:
    while text.startswith((" ", "\t"), position):
        position += 1
    return position


def _stuck(text: str, position: int, expected: str) -> PathError:
    came = repr(text[position : position + 10]) if position < len(text) else "the end"
    return PathError(f"{expected} at character {position + 1} of {text}, came {came}")
