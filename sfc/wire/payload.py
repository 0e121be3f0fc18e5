"""JSON of others: what a topic's record, an answer or a reply has for its value."""

from __future__ import annotations

from typing import Any

import msgspec

from sfc.engine.limits import DEPTH_MAX, is_too_deep
from sfc.errors import MalformedRecord

_decode = msgspec.json.Decoder().decode


def decode_any(value: bytes) -> Any:
    """Any JSON, integers as they came. Raises MalformedRecord for what is none, and for what is nested deeper than 200 levels: it could
    be read, perhaps, and not written again."""
    if is_too_deep(value):
        raise MalformedRecord(f"lists and objects are nested deeper than {DEPTH_MAX} levels")
    try:
        return _decode(value)
    except (msgspec.DecodeError, RecursionError, ValueError) as e:
        raise MalformedRecord(str(e)) from e
