"""What an operator wants of a pool of workers, over what its document says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from sqlmodel import Session, col, select

from sfc.errors import BadInput, NotPossible, UnknownName
from sfc.registry.holds import Sessions
from sfc.registry.session import Edit
from sfc.registry.shapes import NAME
from sfc.registry.tables import BlueprintRow, BlueprintVersionRow, PoolRow, TaskRow, TaskVersionRow
from sfc.registry.views import document_of
from sfc.wire.definitions import PoolScale
from sfc.wire.scale import REPLICAS_MAX, Scale, scale_of


class PoolEdited(Struct, frozen=True):
    """The override after an edit; None: as in the document. ``changed`` False: it was so already."""

    pool: str
    revision: int
    changed: bool
    min: int | None
    max: int | None
    drained: bool


class Pools:
    """Overrides. A pool is ``task:NAME`` or ``blueprint:NAME``. Raises UnknownName for what is not there, NotPossible for a pool whose
    document has no ``Scale``."""

    def __init__(self, registry: Sessions) -> None:
        self._registry = registry

    def scale(self, pool: str, low: int | None, high: int | None) -> PoolEdited:
        """Min and Max, in place of what was set before; None: as in the document. A drained pool stays so. Raises BadInput for numbers
        out of range, and when Min would be over Max."""
        for name, value, least in (("min", low, 0), ("max", high, 1)):
            if value is not None and not least <= value <= REPLICAS_MAX:
                hint = "drain the pool to have no workers at all" if (name, value) == ("max", 0) else ""
                raise BadInput(f"{name} must be a whole number from {least} to {REPLICAS_MAX}, it is {value}", hint=hint)
        with self._registry.edit() as edit:
            _uncrossed(pool, _scale(edit.session, pool), low, high)
            return _save(edit, pool, low, high, None)

    def drain(self, pool: str, drained: bool) -> PoolEdited:
        """``drained``: no workers at all, jobs wait; else back to what was wanted before."""
        with self._registry.edit() as edit:
            _scale(edit.session, pool)
            return _save(edit, pool, None, None, drained)


def republish(edit: Edit, revision: int) -> None:
    """Publishes every override again, at its own revision."""
    for row in edit.session.exec(select(PoolRow).order_by(col(PoolRow.name))).all():
        edit.publish(_definition(row), revision)


def _save(edit: Edit, pool: str, low: int | None, high: int | None, drained: bool | None) -> PoolEdited:
    """``drained`` None: the numbers are set; else: that alone."""
    row = edit.session.get(PoolRow, pool) or PoolRow(name=pool, revision=0)
    to = (low, high, row.drained) if drained is None else (row.min, row.max, drained)
    changed = to != (row.min, row.max, row.drained)
    if changed:
        row.min, row.max, row.drained = to
        row.revision = edit.next_revision()
        edit.session.add(row)
        edit.publish(_definition(row), row.revision)
    return PoolEdited(pool, row.revision, changed, *to)


def _definition(row: PoolRow) -> PoolScale:
    return PoolScale(row.name, row.revision, row.min, row.max, row.drained)


def _uncrossed(pool: str, scale: Scale, low: int | None, high: int | None) -> None:
    least, most = scale.min if low is None else low, scale.max if high is None else high
    if least > most:
        whose = "the document's " if low is None else "", "the document's " if high is None else ""
        raise BadInput(f"{pool}: {whose[0]}min {least} is over {whose[1]}max {most}", hint="give both min and max")


def _scale(session: Session, pool: str) -> Scale:
    kind, _, name = pool.partition(":")
    found: TaskVersionRow | BlueprintVersionRow | None = None
    if not NAME(name):
        kind = ""
    if kind == "task" and (task := session.get(TaskRow, name)):
        found = session.get(TaskVersionRow, (name, task.current))
    elif kind == "blueprint" and (blueprint := session.get(BlueprintRow, name)):
        found = session.get(BlueprintVersionRow, (name, blueprint.current))
    if found is None:
        raise UnknownName(f"there is no pool {pool}", hint="a pool is task:NAME or blueprint:NAME; `sfc workers list` shows all")
    document: Mapping[str, Any] = document_of(found)
    section = document if kind == "task" else document["Sfc"]
    if "Scale" not in section:
        raise NotPossible(f"{pool} has no Scale: its workers are not the scheduler's", hint="add Scale to its document, with a Module")
    return scale_of(section["Scale"])
