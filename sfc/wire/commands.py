"""Records of ``sfc.commands``: SFC's own commands, and workers' replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from sfc.engine.commands import Command, Complete, Fail, Heartbeat
from sfc.engine.limits import DEPTH_MAX, is_too_deep
from sfc.errors import MalformedRecord
from sfc.wire import FORMAT, headers
from sfc.wire.payload import decode_any

Mark = tuple[int, ...]
RecordHeaders = list[tuple[str, bytes]]

SOURCE_BYTES_MAX = 1_000  # both stand in the shard's own record
MARK_BYTES_MAX = 100

_encoder = msgspec.json.Encoder()
_decode_command = msgspec.json.Decoder(Command).decode


class Received(NamedTuple):
    """A command with what stands beside it. ``bad_value`` says why a reply's value could not be read (its attempt fails)."""

    command: Command
    source: str = ""
    mark: Mark = ()
    bad_value: str = ""


def encode_command(command: Command, source: str = "", mark: Mark = ()) -> tuple[bytes, RecordHeaders]:
    """Value and headers. With ``source`` and ``mark`` a repetition is recognised (EXACTLY-ONCE 3)."""
    name = type(command).__struct_config__.tag
    head = [(headers.FORMAT, FORMAT), (headers.COMMAND, str(name).encode())]
    if source:
        head += [(headers.SOURCE, source.encode()), (headers.MARK, ".".join(map(str, mark)).encode())]
    return _encoder.encode(command), head


def decode_command(key: bytes | None, value: bytes | None, record_headers: Sequence[tuple[str, bytes]]) -> Received:
    """What a record of ``sfc.commands`` asks. Raises MalformedRecord with the reason of its dead letter.

    A record with ``sfc-command`` is SFC's own, one with only ``sfc-job`` is a reply.
    """
    found: dict[str, bytes] = dict(record_headers)
    if headers.COMMAND in found:
        if found.get(headers.FORMAT, FORMAT) != FORMAT:
            raise MalformedRecord(f"format {found[headers.FORMAT]!r} of a newer release: this one reads {FORMAT.decode()}")
        source, mark = _source_of(found)
        if value is not None and is_too_deep(value, DEPTH_MAX + 1):  # its payload stands one level down
            raise MalformedRecord(f"a command whose lists and objects are nested deeper than {DEPTH_MAX} levels")
        try:
            command = _decode_command(value or b"")
        except (msgspec.DecodeError, ValueError, RecursionError) as e:
            raise MalformedRecord(f"a command that can't be read: {e}") from e
        return Received(command, source, mark)
    token_bytes = found.get(headers.JOB)
    if token_bytes is None:
        raise MalformedRecord("neither sfc-command nor sfc-job among the headers: a command or a reply was expected")
    reply = decode_reply(key, value, found, token_bytes.decode("utf-8", "replace"))
    if headers.SOURCE not in found:
        return reply
    source, mark = _source_of(found)  # it was passed on by another shard
    return reply._replace(source=source, mark=mark)


def _source_of(found: dict[str, bytes]) -> tuple[str, Mark]:
    """Who may repeat the command, and how far he has come; "" for nobody."""
    source, text = found.get(headers.SOURCE, b""), found.get(headers.MARK, b"")
    if len(source) > SOURCE_BYTES_MAX or len(text) > MARK_BYTES_MAX:
        raise MalformedRecord(
            f"source and mark of a command take up to {SOURCE_BYTES_MAX} and {MARK_BYTES_MAX} bytes: {len(source)} and {len(text)} came"
        )
    try:
        return source.decode("utf-8", "replace"), tuple(int(n) for n in text.decode().split(".") if n)
    except ValueError as e:
        raise MalformedRecord(f"a command that can't be read: {e}") from e


def decode_reply(key: bytes | None, value: bytes | None, found: Mapping[str, bytes], token: str) -> Received:
    """The command that a worker's reply with this token and these headers stands for. Raises MalformedRecord when the token makes no
    sense."""
    flow = parse_token(token).flow
    if key != flow.encode():
        raise MalformedRecord(f"the key {key!r} is not the flow of its token {token!r}: a reply goes back with key and headers of its job")
    if headers.HEARTBEAT in found:
        return Received(Heartbeat(token))
    if headers.ERROR in found:
        cause = found.get(headers.CAUSE)
        return Received(
            Fail(token, found[headers.ERROR].decode("utf-8", "replace"), None if cause is None else cause.decode("utf-8", "replace"))
        )
    try:
        return Received(Complete(token, decode_any(value) if value else None))
    except MalformedRecord as e:
        reason = f"the value of a reply must be JSON: {e.message}"
        return Received(Fail(token, "States.Runtime", reason), bad_value=reason)


class Token(NamedTuple):
    """A job token's parts (EXACTLY-ONCE 2): ``<flow>/<run>/<seq>/<hash>``."""

    flow: str
    run: int
    seq: int
    hash: str


def parse_token(token: str) -> Token:
    """Raises MalformedRecord when it is no token."""
    flow, _, rest = token.partition("/")
    parts = rest.split("/")
    if not flow or len(parts) != 3 or not (parts[0].isdigit() and parts[1].isdigit() and parts[2]):
        raise MalformedRecord(f"{token!r} is no job token: <flow>/<run>/<number>/<hash> was expected")
    return Token(flow, int(parts[0]), int(parts[1]), parts[2])
