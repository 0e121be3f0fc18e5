"""Records of ``sfc.state``: flows, and the shard's own record. Each carries the number of its interval."""

from __future__ import annotations

import msgspec

from sfc.engine.flow import Flow, Glance
from sfc.engine.shard import ShardState
from sfc.errors import MalformedRecord
from sfc.wire import FORMAT, headers

_encoder = msgspec.json.Encoder()
_decode_flow = msgspec.json.Decoder(Flow).decode
_decode_glance = msgspec.json.Decoder(Glance).decode
_decode_shard = msgspec.json.Decoder(ShardState).decode


def shard_key(shard: int) -> bytes:
    return b"/shard/%d" % shard


def encode_flow(flow: Flow) -> bytes:
    return _encoder.encode(flow)


def decode_flow(value: bytes) -> Flow:
    try:
        return _decode_flow(value)
    except msgspec.DecodeError as e:
        raise MalformedRecord(f"a flow's state that can't be read: {e}") from e


def glance_at(value: bytes) -> Glance:
    """What a restore needs of a flow's state."""
    try:
        return _decode_glance(value)
    except msgspec.DecodeError as e:
        raise MalformedRecord(f"a flow's state that can't be read: {e}") from e


def encode_shard(shard: ShardState) -> bytes:
    return _encoder.encode(shard)


def decode_shard(value: bytes) -> ShardState:
    try:
        return _decode_shard(value)
    except msgspec.DecodeError as e:
        raise MalformedRecord(f"a shard's record that can't be read: {e}") from e


def interval_headers(interval: int) -> list[tuple[str, bytes]]:
    return [(headers.FORMAT, FORMAT), (headers.INTERVAL, b"%d" % interval)]
