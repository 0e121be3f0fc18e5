"""What the intrinsic functions do, on plain values. As recorded from Step Functions where the specification is silent."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sfc.asl.context import fraction, uuid4
from sfc.asl.failure import as_java, as_json
from sfc.asl.jsonpath_filter import is_number, same

_ITEMS_MAX = 1000  # of ArrayRange
_CHARACTERS_MAX = 10_000  # of Base64Encode, Base64Decode and Hash
_WHOLE_MAX = 10**sys.int_info.default_max_str_digits  # the first whole number that no payload can carry
_HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


class FunctionError(Exception):
    """A function can't do what was asked; the message is for the flow's cause."""


TYPES: dict[str, Callable[[Any], bool]] = {
    "any value": lambda value: True,
    "a number": is_number,
    "a whole number": lambda value: value.__class__ is int or (value.__class__ is float and value.is_integer()),
    "a text": lambda value: isinstance(value, str),
    "an array": lambda value: isinstance(value, list),
    "an object": lambda value: isinstance(value, dict),
    "false": lambda value: value is False,
}


@dataclass(frozen=True, slots=True)
class Function:
    """``kinds``: what each argument must be; the last one stands for all that follow where ``most`` is None.

    ``by_chance``: ``run`` gets 32 bytes of chance before its arguments.
    """

    run: Callable[..., Any]
    kinds: tuple[str, ...]
    least: int
    most: int | None
    by_chance: bool = False

    def kind(self, number: int) -> str:
        return self.kinds[min(number, len(self.kinds) - 1)]


def _function(run: Callable[..., Any], *kinds: str) -> Function:
    return Function(run, kinds, len(kinds), len(kinds))


def _format(template: str, *values: Any) -> str:
    pieces = re.findall(r"\\.|\{\}|.", template, re.DOTALL)
    count = pieces.count("{}")
    if count != len(values):
        raise FunctionError(f"expected as many arguments as {{}} in the template ({count}), came {len(values)}")
    left = iter(values)
    return "".join(as_java(next(left)) if piece == "{}" else piece[-1] for piece in pieces)


def _string_to_json(text: str) -> Any:
    if not text.strip():
        return None
    try:
        found = json.loads(text, parse_constant=_no_constant, parse_float=_double)
        if "\\" in text:
            as_json(found).encode()  # half of a surrogate pair can be spelt and not be written
    except (ValueError, RecursionError):
        raise FunctionError(f"expected JSON, came {text if len(text) <= 1000 else f'{text[:1000]}…'}") from None
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(word)


def _double(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise FunctionError(f"expected a number that a double can hold, came {digits:.60}")
    return number


def _array_partition(items: list[Any], size: float) -> list[list[Any]]:
    if size < 1:
        raise FunctionError(f"expected a size above 0, came {size}")
    step = int(size)
    return [items[start : start + step] for start in range(0, len(items), step)]


def _array_range(start: float, end: float, step: float) -> list[int]:
    if not step:
        raise FunctionError("expected a step other than 0")
    first, last, by = int(start), int(end), int(step)
    count = max((last - first) // by + 1, 0)
    if count > _ITEMS_MAX:
        raise FunctionError(f"expected at most {_ITEMS_MAX} items, came {count if count < _WHOLE_MAX else 'more'}")
    return list(range(first, last + (1 if by > 0 else -1), by))


def _array_get_item(items: list[Any], index: float) -> Any:
    if not 0 <= index < len(items):
        raise FunctionError(f"expected an index from 0 to {len(items) - 1}, came {index}")
    return items[int(index)]


def _array_unique(items: list[Any]) -> list[Any]:
    unique: list[Any] = []
    for item in items:
        if not any(same(item, other) for other in unique):
            unique.append(item)
    return unique


def _bounded(text: str) -> str:
    if len(text) > _CHARACTERS_MAX:
        raise FunctionError(f"expected at most {_CHARACTERS_MAX} characters, came {len(text)}")
    return text


def _base64_decode(text: str) -> str:
    try:
        return base64.b64decode(_bounded(text), validate=True).decode()
    except (binascii.Error, ValueError):
        raise FunctionError("expected text in Base64") from None


def _hash(data: Any, algorithm: str) -> str:
    if algorithm not in _HASHES:
        raise FunctionError(f"expected one of {', '.join(_HASHES)}, came {algorithm}")
    text = _bounded(data if isinstance(data, str) else as_json(data))
    return hashlib.new(_HASHES[algorithm], text.encode(), usedforsecurity=False).hexdigest()


def _rounded(number: float) -> int:
    """Half up, also below zero: -2.5 becomes -2."""
    return number if isinstance(number, int) else math.floor(number + 0.5)


def _math_add(left: float, right: float) -> int:
    total = _rounded(left) + _rounded(right)
    if abs(total) >= _WHOLE_MAX:
        raise FunctionError(f"expected a sum of at most {sys.int_info.default_max_str_digits} digits, came a longer one")
    return total


def _string_split(text: str, separators: str) -> list[str]:
    """Every character of the separator splits; empty parts are dropped."""
    parts = re.split(f"[{re.escape(separators)}]", text) if separators else [text]
    return [part for part in parts if part]


def _random(chance: bytes, start: float, end: float, *seed: float) -> int:
    """A whole number from ``start`` up to, but not with, ``end``; the same each time for the same ``seed``."""
    first, last = _rounded(start), _rounded(end)
    if first >= last:
        raise FunctionError(f"expected a start below the end, came {first} and {last}")
    drawn = hashlib.sha256(f"{seed[0]}".encode()).digest() if seed else chance
    try:
        return first + int(fraction(drawn) * (last - first))
    except OverflowError:
        raise FunctionError("expected a start and an end that a double can hold, came a larger one") from None


FUNCTIONS: dict[str, Function] = {
    "Format": Function(_format, ("a text", "any value"), 1, None),
    "StringToJson": _function(_string_to_json, "a text"),
    "JsonToString": _function(as_json, "any value"),
    "Array": Function(lambda *items: list(items), ("any value",), 0, None),
    "ArrayPartition": _function(_array_partition, "an array", "a whole number"),
    "ArrayContains": _function(lambda items, wanted: any(same(item, wanted) for item in items), "an array", "any value"),
    "ArrayRange": _function(_array_range, "a whole number", "a whole number", "a whole number"),
    "ArrayGetItem": _function(_array_get_item, "an array", "a whole number"),
    "ArrayLength": _function(len, "an array"),
    "ArrayUnique": _function(_array_unique, "an array"),
    "Base64Encode": _function(lambda text: base64.b64encode(_bounded(text).encode()).decode(), "a text"),
    "Base64Decode": _function(_base64_decode, "a text"),
    "Hash": _function(_hash, "any value", "a text"),
    "JsonMerge": _function(lambda left, right, deep: {**left, **right}, "an object", "an object", "false"),
    "MathAdd": _function(_math_add, "a number", "a number"),
    "MathRandom": Function(_random, ("a number",), 2, 3, by_chance=True),
    "UUID": Function(uuid4, (), 0, 0, by_chance=True),
    "StringSplit": _function(_string_split, "a text", "a text"),
}
