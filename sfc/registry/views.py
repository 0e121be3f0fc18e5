"""What the registry tells: its answers to edits and reads."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from sfc.errors import Problem
from sfc.registry.tables import BlueprintRow, BlueprintVersionRow, TaskRow, TaskVersionRow
from sfc.wire.definitions import BlueprintHead, BlueprintVersion, TaskHead, TaskVersion, TriggerRecord


class Deployed(Struct, frozen=True):
    """What became of one document. ``before``: the version that was current, 0 for none; where it is another one than ``version``,
    either that was ``made``, or an older one with this content is current again.

    ``revision``: of this edit, or of the last one. ``notes``: what is right but may surprise, a sentence each."""

    source: str
    kind: str  # blueprint or task
    name: str
    version: int
    hash: str
    revision: int
    made: bool
    before: int
    notes: list[str] = []
    warnings: list[Problem] = []

    @property
    def changed(self) -> bool:
        """False: nothing is published."""
        return self.version != self.before


class Edited(Struct, frozen=True):
    """The blueprint after a pause, a resume or the like. ``changed`` False: it was so already.

    ``revision``: of this edit, or of the last one."""

    name: str
    status: str
    revision: int
    changed: bool


class BlueprintInfo(Struct, frozen=True):
    """A blueprint with its current version's document. Times in milliseconds since 1970."""

    name: str
    current: int
    status: str  # enabled, paused, disabled, retired
    revision: int
    group: str
    triggers: list[TriggerRecord]
    hold_reason: str
    hold_by: str
    hold_freeze: bool  # its flows' timers stand still while it is paused
    created_ms: int
    updated_ms: int
    hash: str
    document: dict[str, Any]


class TaskInfo(Struct, frozen=True):
    """A task with its current version's document."""

    name: str
    current: int
    revision: int
    created_ms: int
    updated_ms: int
    hash: str
    document: dict[str, Any]


_triggers = msgspec.json.Decoder(list[TriggerRecord]).decode


def document_of(row: BlueprintVersionRow | TaskVersionRow) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(row.document)
    return document


def triggers_of(row: BlueprintRow) -> list[TriggerRecord]:
    return _triggers(row.triggers)


def triggers_text(triggers: list[TriggerRecord]) -> str:
    return msgspec.json.encode(triggers).decode()


def blueprint_head(row: BlueprintRow) -> BlueprintHead:
    return BlueprintHead(
        name=row.name,
        current=row.current,
        status=row.status,
        revision=row.revision,
        group=row.group,
        triggers=triggers_of(row),
        hold_reason=row.hold_reason,
        hold_freeze=row.hold_freeze,
    )


def blueprint_version(row: BlueprintVersionRow) -> BlueprintVersion:
    return BlueprintVersion(row.name, row.version, row.hash, document_of(row), row.created_ms)


def blueprint_info(row: BlueprintRow, current: BlueprintVersionRow) -> BlueprintInfo:
    return BlueprintInfo(
        name=row.name,
        current=row.current,
        status=row.status,
        revision=row.revision,
        group=row.group,
        triggers=triggers_of(row),
        hold_reason=row.hold_reason,
        hold_by=row.hold_by,
        hold_freeze=row.hold_freeze,
        created_ms=row.created_ms,
        updated_ms=row.updated_ms,
        hash=current.hash,
        document=document_of(current),
    )


def task_head(row: TaskRow) -> TaskHead:
    return TaskHead(row.name, row.current, row.revision)


def task_version(row: TaskVersionRow) -> TaskVersion:
    return TaskVersion(row.name, row.version, row.hash, document_of(row), row.created_ms)


def task_info(row: TaskRow, current: TaskVersionRow) -> TaskInfo:
    return TaskInfo(row.name, row.current, row.revision, row.created_ms, row.updated_ms, current.hash, document_of(current))
