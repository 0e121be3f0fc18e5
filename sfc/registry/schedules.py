"""Schedules: what a blueprint's current version says, which ticks are due, and how far they have come.

A tick is missed when it is more than 60 s late, or when something holds its blueprint. Nothing here starts a flow: that is
sfc.runtime.schedules, which appends the starts and only then lets ``advance`` move on. So a tick may be found due twice, and its second
start is dropped by its mark.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from sqlmodel import Session, col, select

from sfc.errors import UnknownName
from sfc.ports import DueSchedule
from sfc.registry.cron import latest_ticks, next_tick, ticks
from sfc.registry.documents import canonical
from sfc.registry.session import Edit
from sfc.registry.shapes import did_you_mean
from sfc.registry.tables import BlueprintRow, HoldRow, ScheduleRow

LATE_MS = 60_000
"""A tick that is later than this is missed."""

CATCH_UP_MAX = 1_000
"""With ``CatchUp: all``, the latest so many missed ticks are started."""

UPCOMING = 5


class Sessions(Protocol):
    """The registry, as far as it is needed here."""

    def edit(self) -> AbstractContextManager[Edit]: ...

    def read(self) -> AbstractContextManager[Session]: ...

    def alone(self, name: str, wait_s: float) -> AbstractContextManager[bool]: ...


class ScheduleInfo(Struct, frozen=True):
    """A schedule of a blueprint's current version. Times in milliseconds since 1970: ``next_ms`` of the next tick (0: there is none),
    ``last_ms`` of the last one that started a flow (0: none has). ``status``: of the blueprint, ``paused`` also when another hold applies.
    ``upcoming``: the next five ticks."""

    blueprint: str
    id: str
    uid: str
    cron: str
    time_zone: str
    catch_up: str
    input: Any
    status: str
    next_ms: int
    last_ms: int
    upcoming: list[int]


def schedules_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The triggers of a blueprint that are schedules."""
    return [trigger for trigger in document["Sfc"].get("Triggers", []) if "Schedule" in trigger]


def sync(edit: Edit, blueprint: str, document: dict[str, Any], new_id: Callable[[], str]) -> None:
    """Makes the schedules of a version the blueprint's. One whose id, expression and zone are as they were keeps its uid and its place;
    another begins with the next tick from now on."""
    session = edit.session
    before = {row.id: row for row in session.exec(select(ScheduleRow).where(ScheduleRow.blueprint == blueprint))}
    for trigger in schedules_of(document):
        row = before.pop(trigger["Id"], None)
        cron, zone = trigger["Schedule"], trigger.get("TimeZone", "UTC")
        if row is not None and (row.cron, row.time_zone) != (cron, zone):
            session.delete(row)
            row = None
        if row is None:
            row = ScheduleRow(
                uid=new_id(), blueprint=blueprint, id=trigger["Id"], cron=cron, time_zone=zone, catch_up="", input="",
                next_ms=next_tick(cron, zone, edit.now_ms),
            )  # fmt: skip
        row.catch_up, row.input = trigger.get("CatchUp", "skip"), canonical(trigger.get("Input", {}))
        session.add(row)
    for row in before.values():
        session.delete(row)
    session.flush()


class Schedules:
    """The schedules of a registry: ``sfc.ports.ScheduleBook``, and what is shown of them."""

    def __init__(self, registry: Sessions) -> None:
        self._registry = registry

    def alone(self) -> AbstractContextManager[bool]:
        return self._registry.alone("schedules", 0.0)

    def due(self, now_ms: int) -> list[DueSchedule]:
        with self._registry.read() as session:
            rows = session.exec(
                select(ScheduleRow)
                .where(col(ScheduleRow.next_ms) > 0, col(ScheduleRow.next_ms) <= now_ms)
                .order_by(col(ScheduleRow.next_ms), col(ScheduleRow.uid))
            ).all()
            found = [_due(row, _status(session, row.blueprint), now_ms) for row in rows]
        return [one for one in found if one is not None]

    def advance(self, done: Sequence[DueSchedule]) -> None:
        with self._registry.edit() as edit:
            for one in done:
                row = edit.session.get(ScheduleRow, one.uid)
                if row is not None and row.next_ms == one.was_ms:  # else another gateway, or an edit, was quicker
                    row.next_ms = one.next_ms
                    row.last_ms = max(one.ticks, default=row.last_ms)
                    edit.session.add(row)

    def list(self) -> list[ScheduleInfo]:
        """All, by blueprint and id."""
        with self._registry.read() as session:
            rows = session.exec(select(ScheduleRow).order_by(col(ScheduleRow.blueprint), col(ScheduleRow.id))).all()
            return [_info(row, _status(session, row.blueprint)) for row in rows]

    def get(self, blueprint: str, id: str) -> ScheduleInfo:
        """Raises UnknownName."""
        with self._registry.read() as session:
            row = session.exec(select(ScheduleRow).where(ScheduleRow.blueprint == blueprint, ScheduleRow.id == id)).first()
            if row is not None:
                return _info(row, _status(session, blueprint))
            known = [f"{r.blueprint}:{r.id}" for r in session.exec(select(ScheduleRow))]
        raise UnknownName(f"there is no schedule {blueprint}:{id}", hint=did_you_mean(f"{blueprint}:{id}", known))


def _due(row: ScheduleRow, status: str, now_ms: int) -> DueSchedule | None:
    """None: it waits, as it is."""
    started: list[int] = []
    if status == "enabled":
        late_ms = now_ms - LATE_MS - 1  # what is not behind this is missed
        count = {"skip": 0, "one": 1, "all": CATCH_UP_MAX}[row.catch_up]
        if count:
            started += latest_ticks(row.cron, row.time_zone, row.next_ms - 1, late_ms, count)
        started += ticks(row.cron, row.time_zone, max(row.next_ms - 1, late_ms), now_ms)
    elif status == "paused" and row.catch_up == "all":
        return None  # each of them is started when it is resumed
    following = next_tick(row.cron, row.time_zone, now_ms)
    if status == "paused" and row.catch_up == "one":
        following = latest_ticks(row.cron, row.time_zone, row.next_ms - 1, now_ms, 1)[0]
        if following == row.next_ms:
            return None  # it is the one that is started when it is resumed
    return DueSchedule(row.uid, row.blueprint, row.id, msgspec.json.decode(row.input), tuple(started), row.next_ms, following)


def _status(session: Session, blueprint: str) -> str:
    row = session.get_one(BlueprintRow, blueprint)
    subjects = [f"version:{row.name}@{row.current}", *([f"group:{row.group}"] if row.group else [])]
    held = select(HoldRow.subject).where(col(HoldRow.subject).in_(subjects), col(HoldRow.held))
    return "paused" if row.status == "enabled" and session.exec(held).first() is not None else row.status


def _info(row: ScheduleRow, status: str) -> ScheduleInfo:
    upcoming = [row.next_ms] if row.next_ms else []
    for tick in ticks(row.cron, row.time_zone, row.next_ms):
        if not upcoming or len(upcoming) == UPCOMING:
            break
        upcoming.append(tick)
    return ScheduleInfo(
        blueprint=row.blueprint, id=row.id, uid=row.uid, cron=row.cron, time_zone=row.time_zone, catch_up=row.catch_up,
        input=msgspec.json.decode(row.input), status=status, next_ms=row.next_ms, last_ms=row.last_ms, upcoming=upcoming,
    )  # fmt: skip
