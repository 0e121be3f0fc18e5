"""Holds: what somebody has paused. A blueprint's stands in its own row; those of versions, tasks and groups have a table.

A subject is ``blueprint:NAME``, ``version:NAME@N``, ``task:NAME`` or ``group:NAME``. Every shard and ``sfc.definitions`` learn of each
change, with the registry's revision.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec
from msgspec import Struct
from sqlmodel import Session, col, select

from sfc.engine.commands import Hold
from sfc.errors import BadInput, UnknownName
from sfc.registry.session import Edit
from sfc.registry.shapes import did_you_mean
from sfc.registry.status import Asked, same_timers, set_status
from sfc.registry.tables import BlueprintRow, BlueprintVersionRow, HoldRow, TaskRow
from sfc.wire.definitions import SubjectHold

KINDS = ("blueprint", "version", "task", "group")


class Sessions(Protocol):
    """The registry, as far as its rooms need it."""

    def edit(self) -> AbstractContextManager[Edit]: ...

    def read(self) -> AbstractContextManager[Session]: ...


class HoldInfo(Struct, frozen=True):
    """A hold that applies. ``freeze``: timers of its flows stand still. ``since_ms``: milliseconds since 1970."""

    subject: str
    freeze: bool
    reason: str
    by: str
    since_ms: int
    revision: int


class HoldEdited(Struct, frozen=True):
    """A subject after a pause or a resume. ``changed`` False: it was so already. ``revision``: of this edit, or of the last one."""

    subject: str
    held: bool
    revision: int
    changed: bool


class Holds:
    """Pauses and resumes. Raises UnknownName for what is not there, BadInput for what is no subject."""

    def __init__(self, registry: Sessions) -> None:
        self._registry = registry

    def pause(self, subject: str, reason: str = "", by: str = "", freeze: bool | None = None) -> HoldEdited:
        """``freeze``: whether timers stand still; None: as the hold has it, for a new one True. Pausing what is paused changes
        nothing. Raises NotPossible when the hold's timers are others, and for a retired blueprint."""
        return self._set(subject, True, reason, by, freeze)

    def resume(self, subject: str, by: str = "") -> HoldEdited:
        """Lifts this hold alone. Resuming what is not paused changes nothing."""
        return self._set(subject, False, "", by, None)

    def all(self, subjects: Iterable[str] | None = None) -> list[HoldInfo]:
        """Holds that apply, by subject: all, or those of some subjects."""
        with self._registry.read() as session:
            found = holds_in(session)
        wanted = None if subjects is None else set(subjects)
        return [hold for hold in found if wanted is None or hold.subject in wanted]

    def _set(self, subject: str, held: bool, reason: str, by: str, freeze: bool | None) -> HoldEdited:
        kind, name = parse_subject(subject)
        with self._registry.edit() as edit:
            if kind == "blueprint":
                row = blueprint_row(edit.session, name)
                edited = set_status(edit, row, Asked("pause" if held else "resume", reason, by, freeze))
                return HoldEdited(subject, edited.status == "paused", edited.revision, edited.changed)
            return _set_row(edit, kind, name, HoldRow(subject=subject, revision=0, held=held, freeze=freeze is not False, reason=reason,
                                                      by=by, since_ms=edit.now_ms), freeze)  # fmt: skip


def parse_subject(subject: str) -> tuple[str, str]:
    """Kind and name. Raises BadInput."""
    kind, _, name = subject.partition(":")
    if kind not in KINDS or not name:
        raise BadInput(f"{subject!r:.120} is no subject of a hold: blueprint:NAME, version:NAME@N, task:NAME and group:NAME are")
    return kind, name


def _set_row(edit: Edit, kind: str, name: str, wanted: HoldRow, freeze: bool | None) -> HoldEdited:
    _must_exist(edit.session, kind, name)
    row = edit.session.get(HoldRow, wanted.subject)
    if (row is not None and row.held) == wanted.held:
        if row is not None and row.held:
            same_timers(f"{kind} {name}", freeze, row.freeze)
        return HoldEdited(wanted.subject, wanted.held, row.revision if row is not None else 0, False)
    wanted.revision = edit.next_revision()
    if row is not None and not wanted.held:
        wanted.freeze = row.freeze  # it is told as it was
    saved = edit.session.merge(wanted)
    edit.publish(_definition(saved), saved.revision)
    edit.publish_hold(_command(saved))
    return HoldEdited(saved.subject, saved.held, saved.revision, True)


def republish(edit: Edit, revision: int) -> None:
    """Publishes every hold of the table again, lifted ones too: as they are, at their own revisions."""
    for row in edit.session.exec(select(HoldRow).order_by(col(HoldRow.subject))).all():
        edit.publish(_definition(row), revision)
        edit.publish_hold(_command(row))


def holds_in(session: Session) -> list[HoldInfo]:
    """All holds that apply, by subject."""
    rows = session.exec(select(HoldRow).where(col(HoldRow.held))).all()
    found = [HoldInfo(r.subject, r.freeze, r.reason, r.by, r.since_ms, r.revision) for r in rows]
    for b in session.exec(select(BlueprintRow).where(BlueprintRow.status == "paused")):
        found.append(HoldInfo(f"blueprint:{b.name}", b.hold_freeze, b.hold_reason, b.hold_by, b.hold_since_ms, b.hold_revision))
    return sorted(found, key=lambda hold: hold.subject)


def applying(holds: Iterable[HoldInfo], name: str, groups: Iterable[str], tasks: Iterable[str]) -> list[HoldInfo]:
    """Those that hold flows of a blueprint: all of its flows, those of a version, or those that come to a task."""
    subjects = {f"blueprint:{name}", *(f"group:{group}" for group in groups), *(f"task:{task}" for task in tasks)}
    return [hold for hold in holds if hold.subject in subjects or hold.subject.startswith(f"version:{name}@")]


def blueprint_row(session: Session, name: str) -> BlueprintRow:
    """Raises UnknownName."""
    row = session.get(BlueprintRow, name)
    if row is None:
        raise UnknownName(f"there is no blueprint {name}", hint=did_you_mean(name, session.exec(select(BlueprintRow.name))))
    return row


def group_members(session: Session) -> dict[str, dict[str, list[int]]]:
    """Groups, and by blueprint the versions that name them; also those that were on hold once and that no version names any more."""
    subjects = session.exec(select(HoldRow.subject)).all()
    groups: dict[str, dict[str, list[int]]] = {s.removeprefix("group:"): {} for s in subjects if s.startswith("group:")}
    rows = select(BlueprintVersionRow).where(col(BlueprintVersionRow.document).contains('"Group"'))
    for row in session.exec(rows.order_by(col(BlueprintVersionRow.name), col(BlueprintVersionRow.version))):
        group = msgspec.json.decode(row.document)["Sfc"].get("Group", "")
        if group:
            groups.setdefault(group, {}).setdefault(row.name, []).append(row.version)
    return groups


def _must_exist(session: Session, kind: str, name: str) -> None:
    if kind == "version":
        blueprint, _, number = name.partition("@")
        row = blueprint_row(session, blueprint)
        versions = session.exec(select(BlueprintVersionRow.version).where(BlueprintVersionRow.name == blueprint)).all()
        if number not in map(str, versions):
            raise UnknownName(f"blueprint {blueprint} has no version {number or '(none given)'}: its current one is {row.current}")
        return
    known = set(session.exec(select(TaskRow.name)) if kind == "task" else group_members(session))
    if name not in known:
        raise UnknownName(f"there is no {kind} {name}", hint=did_you_mean(name, known))


def _definition(row: HoldRow) -> SubjectHold:
    return SubjectHold(row.subject, row.revision, row.held, row.freeze, row.reason, row.by, row.since_ms)


def _command(row: HoldRow) -> Hold:
    return Hold(row.subject, row.revision, row.held, row.freeze, row.reason, row.by)
