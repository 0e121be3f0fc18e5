"""Rolling back: the current version becomes an older one (or a newer one again). Flows that run keep theirs."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from sfc.errors import NotPossible, UnknownName
from sfc.registry.deploy import point_at
from sfc.registry.session import Edit
from sfc.registry.status import RETIRED
from sfc.registry.tables import BlueprintRow, BlueprintVersionRow
from sfc.registry.views import blueprint_head, document_of


class RolledBack(Struct, frozen=True):
    """``version`` is the current one now, ``before`` was it. ``changed`` False: it was it already, and nothing is published."""

    name: str
    version: int
    before: int
    revision: int
    changed: bool


def target(name: str, current: int, to: int | None) -> int:
    """The version to go to: the one asked for, or the one before the current one. Raises NotPossible."""
    if to is None and current == 1:
        raise NotPossible(f"blueprint {name} is at its first version: there is none before", hint="name another with --to")
    return current - 1 if to is None else to


def roll_back(edit: Edit, row: BlueprintRow, to: int | None, new_id: Callable[[], str]) -> RolledBack:
    """The version's triggers and group become the active ones: as on a deploy, a trigger that stays keeps its place, and one that comes
    back begins anew. Status and holds stay. Raises UnknownName, NotPossible."""
    if row.status == RETIRED:
        raise NotPossible(f"blueprint {row.name} is retired", hint=f"`sfc blueprints enable {row.name}` first")
    number, before = target(row.name, row.current, to), row.current
    version = edit.session.get(BlueprintVersionRow, (row.name, number))
    if version is None:
        raise UnknownName(f"blueprint {row.name} has no version {number}: its current one is {row.current}")
    if number == before:
        return RolledBack(row.name, number, before, row.revision, False)
    revision = edit.next_revision()
    point_at(edit, row, number, document_of(version), revision, new_id)
    edit.publish(blueprint_head(row), revision)
    return RolledBack(row.name, number, before, revision, True)
