"""Groups: the blueprints whose current version names one, and the tasks that they use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from sqlmodel import Session, col, select

from sfc.errors import UnknownName
from sfc.registry.blueprint_document import resources_of
from sfc.registry.holds import HoldInfo, Sessions, group_members, holds_in
from sfc.registry.shapes import did_you_mean
from sfc.registry.tables import BlueprintRow, BlueprintVersionRow
from sfc.registry.views import document_of


class GroupInfo(Struct, frozen=True):
    """``blueprints``: those whose current version names the group, and their status. ``versions``: by blueprint, all versions that name
    it; their flows belong to it. ``tasks``: those that the blueprints use. ``hold``: the group's own."""

    name: str
    blueprints: dict[str, str]
    versions: dict[str, list[int]]
    tasks: list[str]
    hold: HoldInfo | None


class Groups:
    """Reads of groups; their holds are set by ``sfc.registry.holds``."""

    def __init__(self, registry: Sessions) -> None:
        self._registry = registry

    def all(self) -> list[GroupInfo]:
        """All, by name."""
        with self._registry.read() as session:
            return _groups(session)

    def get(self, name: str) -> GroupInfo:
        """Raises UnknownName."""
        found = {group.name: group for group in self.all()}
        if name not in found:
            raise UnknownName(f"there is no group {name}", hint=did_you_mean(name, found) or "a blueprint names its group in Sfc.Group")
        return found[name]


def task_names(document: Mapping[str, Any]) -> set[str]:
    """The tasks that a saved blueprint uses."""
    mapping = (document.get("Sfc") or {}).get("Resources") or {}
    targets = {mapping.get(resource, resource) for _, resource in resources_of(document)}
    return {target.removeprefix("task:").partition("@")[0] for target in targets if target.startswith("task:")}


def _groups(session: Session) -> list[GroupInfo]:
    holds = {hold.subject: hold for hold in holds_in(session)}
    members = group_members(session)
    blueprints: dict[str, dict[str, str]] = {name: {} for name in members}
    tasks: dict[str, set[str]] = {name: set() for name in members}
    for row in session.exec(select(BlueprintRow).where(BlueprintRow.group != "").order_by(col(BlueprintRow.name))).all():
        blueprints[row.group][row.name] = row.status
        tasks[row.group] |= task_names(document_of(session.get_one(BlueprintVersionRow, (row.name, row.current))))
    return [GroupInfo(name, blueprints[name], members[name], sorted(tasks[name]), holds.get(f"group:{name}")) for name in sorted(members)]
