"""Records of ``sfc.history``: what was decided for one flow in one interval, with a summary that stands alone."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from sfc.engine.commands import Origin
from sfc.engine.events import AnyEvent
from sfc.engine.flow import Flow
from sfc.errors import MalformedRecord
from sfc.wire.payload import UNREADABLE


class Summary(Struct, frozen=True, omit_defaults=True):
    """The flow at the end of the interval: the monitor needs no state of its own."""

    blueprint: str
    version: int
    status: str
    seq: int
    started_ms: int
    updated_ms: int
    ended_ms: int = 0
    states: list[str] = []  # current states, in order of their branches; each once
    paused_by: list[str] = []  # own, or a subject
    error: str | None = None
    cause: str | None = None
    redrives: int = 0
    origin: Origin | None = None


class HistoryRecord(Struct, frozen=True, omit_defaults=True):
    """``first``: number of the first event. A flow that ended and was forgotten has its last words here."""

    flow: str
    run: int
    first: int
    events: list[AnyEvent]
    summary: Summary


_encoder = msgspec.json.Encoder()
_decode = msgspec.json.Decoder(HistoryRecord).decode


def summarise(flow: Flow, updated_ms: int, held_by: tuple[str, ...] = ()) -> Summary:
    return Summary(
        blueprint=flow.blueprint,
        version=flow.version,
        status=flow.status,
        seq=flow.seq,
        started_ms=flow.started_ms,
        updated_ms=updated_ms,
        ended_ms=flow.ended_ms,
        states=list(dict.fromkeys(b.state for b in flow.branches.values() if b.phase not in ("done", "branches", "stopped"))),
        paused_by=([*(["own"] if flow.paused else []), *held_by] if flow.running else []),
        error=flow.error,
        cause=flow.cause,
        redrives=flow.redrives,
        origin=flow.origin,
    )


def encode_history(record: HistoryRecord) -> bytes:
    return _encoder.encode(record)


def decode_history(value: bytes) -> HistoryRecord:
    try:
        return _decode(value)
    except UNREADABLE as e:
        raise MalformedRecord(f"a history record that can't be read: {e}") from e


def plain(event: AnyEvent) -> dict[str, Any]:
    """An event as plain JSON values."""
    return msgspec.to_builtins(event)  # type: ignore[no-any-return]
