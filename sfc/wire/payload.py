"""JSON of others: what a topic's record, an answer or a reply has for its value."""

from __future__ import annotations

from typing import Any

import msgspec

from sfc.engine.limits import DEPTH_MAX, is_too_deep
from sfc.errors import MalformedRecord

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON: text that is no UTF-8 is told otherwise than all else."""

_decode = msgspec.json.Decoder().decode


def decode_any(value: bytes) -> Any:
    """Any JSON, integers as they came. Raises MalformedRecord for what is none, and for what is nested deeper than 200 levels: it could
    be read, perhaps, and not written again."""
    if is_too_deep(value):
        raise MalformedRecord(f"lists and objects are nested deeper than {DEPTH_MAX} levels")
    try:
        return _decode(value)
    except UNREADABLE as e:
        raise MalformedRecord(str(e)) from e
