"""What an operator wants of a pool of workers, over what its document says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from sqlmodel import Session

from sfc.errors import BadInput, NotPossible, UnknownName
from sfc.registry.registry import Registry
from sfc.registry.tables import BlueprintRow, BlueprintVersionRow, PoolRow, TaskRow, TaskVersionRow
from sfc.registry.views import document_of
from sfc.wire.definitions import PoolScale
from sfc.wire.scale import REPLICAS_MAX, Scale, scale_of


class PoolEdited(Struct, frozen=True):
    """The override after an edit. ``changed`` False: it was so already."""

    pool: str
    revision: int
    changed: bool
    min: int | None = None
    max: int | None = None
    drained: bool = False


def scale_pool(registry: Registry, pool: str, low: int | None, high: int | None) -> PoolEdited:
    """Sets Min and Max over the document's; None leaves one as it was set before. Raises BadInput when they cross, UnknownName,
    NotPossible for a pool without ``Scale``."""
    for name, value in (("min", low), ("max", high)):
        if value is not None and not 0 <= value <= REPLICAS_MAX:
            raise BadInput(f"{name} must be a whole number from 0 to {REPLICAS_MAX}, it is {value}")
    if high == 0:
        raise BadInput("max must be 1 at least, it is 0", hint="drain the pool to have no workers at all")
    return _edit(registry, pool, lambda row: (row.min if low is None else low, row.max if high is None else high, row.drained))


def reset_pool(registry: Registry, pool: str) -> PoolEdited:
    """What the document says counts again. A drained pool stays so."""
    return _edit(registry, pool, lambda row: (None, None, row.drained))


def drain_pool(registry: Registry, pool: str, drained: bool) -> PoolEdited:
    """``drained``: no workers at all, jobs wait; else back to what was wanted before."""
    return _edit(registry, pool, lambda row: (row.min, row.max, drained))


def pool_scale(row: PoolRow) -> PoolScale:
    return PoolScale(row.name, row.revision, row.min, row.max, row.drained)


def _edit(registry: Registry, pool: str, change: Any) -> PoolEdited:
    with registry.edit() as edit:
        scale = _scale(edit.session, pool)
        row = edit.session.get(PoolRow, pool) or PoolRow(name=pool, revision=0)
        low, high, drained = change(row)
        if (low, high, drained) == (row.min, row.max, row.drained):
            return PoolEdited(pool, row.revision, False, low, high, drained)
        _uncrossed(pool, scale, low, high)
        row.min, row.max, row.drained, row.revision = low, high, drained, edit.next_revision()
        edit.session.add(row)
        edit.publish(pool_scale(row), row.revision)
        return PoolEdited(pool, row.revision, True, low, high, drained)


def _uncrossed(pool: str, scale: Scale, low: int | None, high: int | None) -> None:
    least, most = scale.min if low is None else low, scale.max if high is None else high
    if least > most:
        said = "the document's" if low is None else "the"
        other = "the document's" if high is None else "the"
        raise BadInput(f"{pool}: {said} minimum {least} is over {other} maximum {most}", hint="give both --min and --max")


def _scale(session: Session, pool: str) -> Scale:
    kind, _, name = pool.partition(":")
    found: TaskVersionRow | BlueprintVersionRow | None = None
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
