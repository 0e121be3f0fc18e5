"""Records of ``sfc.replies``: answers to callers who wait. Key: the caller's ReplyTo.key (a gateway's instance)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from sfc.engine.effects import Reply
from sfc.errors import MalformedRecord
from sfc.wire.payload import UNREADABLE


class Answer(Struct, frozen=True, omit_defaults=True):
    """As sfc.engine.effects.Reply; ``id`` is the ReplyTo's."""

    id: str
    flow: str
    status: str
    output: Any = None
    error: str | None = None
    cause: str | None = None
    detail: str = ""


_encoder = msgspec.json.Encoder()
_decode = msgspec.json.Decoder(Answer).decode


def encode_answer(reply: Reply) -> bytes:
    return _encoder.encode(Answer(reply.to.id, reply.flow, reply.status, reply.output, reply.error, reply.cause, reply.detail))


def decode_answer(value: bytes) -> Answer:
    try:
        return _decode(value)
    except UNREADABLE as e:
        raise MalformedRecord(f"an answer that can't be read: {e}") from e
