"""What Step Functions adds to JSONata: ``$partition $range $hash $random(seed) $uuid $parse``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from sfc.asl.context import Context, fraction, uuid4
from sfc.asl.functions import FUNCTIONS as INTRINSICS
from sfc.asl.functions import TYPES, FunctionError


def _as(name: str, intrinsic: str) -> Callable[..., Any]:
    """The intrinsic function of that name, with its own checks."""
    function = INTRINSICS[intrinsic]

    def run(*given: Any) -> Any:
        for number, each in enumerate(given):
            kind = function.kind(number)
            if not TYPES[kind](each):
                raise FunctionError(f"expected {kind} as argument {number + 1} of ${name}")
        return function.run(*given)

    return run


_parsed = _as("parse", "StringToJson")

FUNCTIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "partition": (_as("partition", "ArrayPartition"), "<an:a>"),
    "range": (_as("range", "ArrayRange"), "<nnn:a>"),
    "hash": (_as("hash", "Hash"), "<xs:s>"),
    "_parsed": (lambda text: {"value": _parsed(text)}, "<s:o>"),
}
"""Functions that need nothing but their arguments, and their signatures in JSONata's own notation."""

PARSE = "$parse := function($text)<s:x>{$lookup($_parsed($text), 'value')}; "
"""``$parse`` itself, to stand before an expression: what a function from here gives as None is undefined, not null."""


def chance_functions(context: Context, pointer: str) -> dict[str, Callable[..., Any]]:
    """``$random`` and ``$uuid`` for one evaluation. With a seed ``$random`` gives the same each time."""

    def random(*seed: Any) -> float:
        if not seed or seed[0] is None:
            return context.draw(pointer)
        if isinstance(seed[0], bool) or not isinstance(seed[0], int | float):
            raise FunctionError("expected a number as argument 1 of $random")
        return fraction(hashlib.sha256(f"{seed[0]}".encode()).digest())

    def uuid(*_: Any) -> str:
        return uuid4(context.digest(pointer))

    return {"random": random, "uuid": uuid}
