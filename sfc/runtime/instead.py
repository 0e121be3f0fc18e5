"""What a waiting parent hears in place of a command between flows that can't be carried out: else it would wait for ever."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from sfc.engine.children import NOT_STARTED
from sfc.engine.commands import ChildEnded, Command, Parent, Start
from sfc.engine.sizes import DATA_LIMIT
from sfc.errors import MalformedRecord
from sfc.ports import Record
from sfc.runtime.intake import is_flow_id
from sfc.wire import headers
from sfc.wire.commands import parse_token
from sfc.wire.payload import UNREADABLE

_TOKEN_CHARACTERS_MAX = 300


class _Waiting(Struct, frozen=True):
    """Of a start or a child's end no more than says who waits."""

    parent: Parent | None = None
    token: str = ""
    index: int = -1


_decode = msgspec.json.Decoder(_Waiting).decode


def instead_of(flow: str, command: Command, reason: str) -> tuple[str, ChildEnded] | None:
    """Who waits for what the command would have led to, and what he hears; None where nobody does. ``flow``: whose command it is."""
    match command:
        case Start(parent=Parent(flow=parent, token=token, index=index)):
            return parent, ChildEnded(token, "FAILED", None, NOT_STARTED, reason, index)
        case ChildEnded(token=token, index=index):
            return flow, ChildEnded(token, "FAILED", None, DATA_LIMIT, reason, index)
        case _:
            return None


def instead_of_record(record: Record, reason: str) -> tuple[str, ChildEnded] | None:
    """The same of a record that the intake has refused, as far as it says who waits."""
    kind = headers.text(record.headers, headers.COMMAND)
    if kind not in ("start", "child-ended"):
        return None
    try:
        found = _decode(record.value or b"")
        if kind == "start":
            if found.parent is None:
                return None
            flow, token, error, index = found.parent.flow, found.parent.token, NOT_STARTED, found.parent.index
        else:
            flow, token, error, index = (record.key or b"").decode(), found.token, DATA_LIMIT, found.index
        if len(token) > _TOKEN_CHARACTERS_MAX or not is_flow_id(flow.encode()) or parse_token(token).flow != flow:
            return None
    except (*UNREADABLE, MalformedRecord):
        return None
    return flow, ChildEnded(token, "FAILED", None, error, reason, index)
