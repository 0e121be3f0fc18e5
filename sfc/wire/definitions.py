"""Records of ``sfc.definitions`` (compacted, one partition): what every process must know.

====================  =====================================================================
key                   value
====================  =====================================================================
``settings``          ClusterSettings
``blueprint:N:V``     BlueprintVersion: immutable, never tombstoned while anything may need it
``blueprint:N``       BlueprintHead: current version, status, hold, active triggers
``task:N:V``          TaskVersion: immutable
``task:N``            TaskHead
``hold:SUBJECT``      SubjectHold: of a version, task or group (a blueprint's stands in its head)
``pool:POOL``         PoolScale: how many workers somebody wants, over what the documents say
====================  =====================================================================
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from sfc.errors import MalformedRecord
from sfc.wire.payload import UNREADABLE


class ClusterSettings(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="settings"):
    """Recorded once, never changed."""

    shards: int


class BlueprintVersion(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="blueprint-version"):
    """``document``: the whole blueprint as saved, with pinned references; ``hash``: of its canonical JSON (SHA-256, hex)."""

    name: str
    version: int
    hash: str
    document: dict[str, Any]
    created_ms: int = 0


class TriggerRecord(Struct, frozen=True, omit_defaults=True):
    """An active topic trigger. ``uid``: permanent; new when the trigger is added again or gets a new ``From``.
    ``revision``: changes with each edit of the trigger (EXACTLY-ONCE 5)."""

    uid: str
    id: str
    topic: str
    flow_id: str = ""  # a path into the record
    when: str = ""
    start: str = "latest"  # From: latest (as of the deploy), earliest, or an RFC 3339 time
    revision: int = 1


class BlueprintHead(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="blueprint"):
    """What may change of a blueprint, at ``revision`` (the registry's, over all subjects).

    ``status``: draft, enabled, paused, disabled, retired."""

    name: str
    current: int
    status: str
    revision: int
    group: str = ""
    triggers: list[TriggerRecord] = []
    hold_reason: str = ""
    hold_freeze: bool = True


class TaskVersion(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="task-version"):
    name: str
    version: int
    hash: str
    document: dict[str, Any]
    created_ms: int = 0


class TaskHead(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="task"):
    name: str
    current: int
    revision: int


class SubjectHold(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="hold"):
    """What is on hold: ``version:NAME@N``, ``task:NAME`` or ``group:NAME``, at the registry's revision. The shards get the same as a
    Hold command. ``freeze``: timers of held flows stand still."""

    subject: str
    revision: int
    held: bool
    freeze: bool = True
    reason: str = ""
    by: str = ""
    since_ms: int = 0


class PoolScale(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="pool"):
    """What an operator wants of a pool of workers (``task:NAME``, ``blueprint:NAME``), over its document's ``Scale``. None: as there.
    ``drained``: no worker at all."""

    pool: str
    revision: int
    min: int | None = None
    max: int | None = None
    drained: bool = False


Definition = ClusterSettings | BlueprintVersion | BlueprintHead | TaskVersion | TaskHead | SubjectHold | PoolScale

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Definition] = msgspec.json.Decoder(Definition)


def key_of(definition: Definition) -> str:
    match definition:
        case ClusterSettings():
            return "settings"
        case BlueprintVersion():
            return f"blueprint:{definition.name}:{definition.version}"
        case BlueprintHead():
            return f"blueprint:{definition.name}"
        case TaskVersion():
            return f"task:{definition.name}:{definition.version}"
        case TaskHead():
            return f"task:{definition.name}"
        case SubjectHold():
            return f"hold:{definition.subject}"
        case PoolScale():
            return f"pool:{definition.pool}"


def encode_definition(definition: Definition) -> bytes:
    return _encoder.encode(definition)


def decode_definition(value: bytes) -> Definition:
    try:
        return _decoder.decode(value)
    except UNREADABLE as e:
        raise MalformedRecord(f"a definition that can't be read: {e}") from e
