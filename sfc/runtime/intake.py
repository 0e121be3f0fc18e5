"""What a shard takes of a record, before anything is decided: a command to a flow that can be one, or the reason why not."""

from __future__ import annotations

import re

from sfc.engine.commands import Hold, Start, Tick
from sfc.errors import MalformedRecord
from sfc.ports import Record
from sfc.runtime.letters import Refused
from sfc.wire import headers
from sfc.wire.commands import Received, decode_command
from sfc.wire.ids import ID_CHARACTERS_MAX
from sfc.wire.texts import TEXT_CHARACTERS_MAX, long_text

SUBJECT_CHARACTERS_MAX = 200  # blueprint:NAME and the like; they stand in the shard's own record
_OF_THE_SHARD = (Tick, Hold)
_is_id = re.compile(rb"[A-Za-z0-9._:-]{1,%d}" % ID_CHARACTERS_MAX).fullmatch


class DefinitionsBehind(Exception):
    """A start that must wait until everything before ``position`` in ``sfc.definitions`` has been read here (EXACTLY-ONCE 8)."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


def read_command(record: Record) -> Received:
    """Raises Refused. The key of a command to a flow is the flow's id: any other would not be found again, or be somebody else's."""
    try:
        received = decode_command(record.key, record.value, record.headers)
    except MalformedRecord as e:
        raise Refused("unknown-token" if headers.find(record.headers, headers.JOB) else "no-command", e.message) from e
    command = received.command
    if len(record.value or b"") > TEXT_CHARACTERS_MAX and (long := long_text(command)):
        raise Refused("too-large", f"the text of {long} in a command takes up to {TEXT_CHARACTERS_MAX} characters")
    if isinstance(command, Hold) and len(command.subject) > SUBJECT_CHARACTERS_MAX:
        raise Refused("too-large", f"the subject of a hold takes up to {SUBJECT_CHARACTERS_MAX} characters")
    if isinstance(command, _OF_THE_SHARD):
        return received
    key = record.key or b""
    if _is_id(key) is None:
        raise Refused(
            "bad-flow-id",
            f"the key must be a flow's id, <blueprint>:<rest>, at most {ID_CHARACTERS_MAX} characters of A-Z, a-z, 0-9 and ._:-;"
            f" it is {_shown(key)}",
        )
    if isinstance(command, Start) and not key.startswith(b"%s:" % command.blueprint.encode()):
        raise Refused(
            "bad-flow-id", f"a start of {command.blueprint[:100]} needs a key {command.blueprint[:100]}:<rest>, not {_shown(key)}"
        )
    return received


def is_flow_id(key: bytes) -> bool:
    """Whether the bytes can be a flow's id."""
    return _is_id(key) is not None


def _shown(key: bytes) -> str:
    return f"{key[:ID_CHARACTERS_MAX]!r}{f' and {len(key) - ID_CHARACTERS_MAX} bytes more' if len(key) > ID_CHARACTERS_MAX else ''}"
