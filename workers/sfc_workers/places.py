"""What readers of items and writers of results have in common: the names below a Resource, and trying again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from sfc_workers.item_http import Unsteady

Found = TypeVar("Found")

TRIES = 3
PAUSE_S = 0.5  # before the second try; doubled for the third

encode = msgspec.json.Encoder().encode


def checked(kind: str, parameters: Any, known: Iterable[str]) -> dict[str, Any]:
    """The Parameters. Raises ValueError for what they can't be."""
    names = ", ".join(known)
    if not isinstance(parameters, dict):
        raise ValueError(f"Parameters must be an object with {names}, they are {encode(parameters)[:100].decode('utf-8', 'replace')}")
    for name in parameters:
        if name not in known:
            raise ValueError(f"Parameters of {kind}: may have {names}, not {name!r}")
    return parameters


def parts_of(parameters: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """The names below the Resource. None may lead elsewhere: they are often a flow's data. Raises ValueError."""
    parts: list[str] = []
    for name in names:
        given = parameters.get(name)
        if given is None:
            continue
        if not isinstance(given, str) or not given or "\0" in given:
            raise ValueError(f"{name} must be a text, it is {encode(given)[:100].decode('utf-8', 'replace')}")
        if any(part in (".", "..") for part in given.split("/")):
            raise ValueError(f"{name} must not have . or .. among its parts, it is {given!r}")
        parts.append(given.strip("/"))
    return parts


def steadily(do: Callable[[], Found]) -> Found:
    """Tries a few times what may go better then."""
    for number in range(TRIES - 1):
        try:
            return do()
        except Unsteady:
            time.sleep(PAUSE_S * 2**number)
    return do()
