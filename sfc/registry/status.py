"""The status of a blueprint: which request leads from where to where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sfc.engine.commands import Hold
from sfc.errors import NotPossible
from sfc.registry.session import Edit
from sfc.registry.tables import BlueprintRow
from sfc.registry.views import Edited, blueprint_head

RETIRED = "retired"

TRANSITIONS: Mapping[str, Mapping[str, str]] = {
    # asked     from        to
    "pause": {"enabled": "paused", "paused": "paused", "disabled": "paused"},
    "resume": {"enabled": "enabled", "paused": "enabled", "disabled": "enabled"},
    "enable": {"enabled": "enabled", "disabled": "enabled", RETIRED: "enabled"},
    "disable": {"enabled": "disabled", "paused": "disabled", "disabled": "disabled", RETIRED: "disabled"},
    "retire": {"enabled": RETIRED, "paused": RETIRED, "disabled": RETIRED, RETIRED: RETIRED},
}
"""A request that is not here for a status is refused; one that leads to the same status changes nothing.

enabled: starts flows. paused: its flows stand still, starts over HTTP wait, records stay in their topics. disabled: flows finish, none
start. retired: as disabled, hidden from lists, and nothing is deployed to it.
"""


class Asked(NamedTuple):
    """A request. ``freeze``: timers of held flows stand still; None: as it is, for a new hold True."""

    verb: str
    reason: str = ""
    by: str = ""
    freeze: bool | None = None


def set_status(edit: Edit, row: BlueprintRow, asked: Asked) -> Edited:
    """Carries a request out. Raises NotPossible."""
    to = TRANSITIONS[asked.verb].get(row.status)
    if to is None:
        way = f"`sfc blueprints {'enable' if row.status == RETIRED else 'resume'} {row.name}`"
        raise NotPossible(f"{asked.verb} is not possible: blueprint {row.name} is {row.status}", hint=f"{way} makes it enabled again")
    if to == row.status:
        if to == "paused":
            same_timers(f"blueprint {row.name}", asked.freeze, row.hold_freeze)
        return Edited(row.name, to, row.revision, False)
    held_before, held = row.status == "paused", to == "paused"
    row.status, row.revision, row.updated_ms = to, edit.next_revision(), edit.now_ms
    row.hold_reason, row.hold_by = (asked.reason, asked.by) if held else ("", "")
    row.hold_since_ms = edit.now_ms if held else 0
    if held:
        row.hold_freeze = asked.freeze is not False  # one that is lifted is told as it was
    edit.session.add(row)
    edit.publish(blueprint_head(row), row.revision)
    if held != held_before:
        row.hold_revision = row.revision
        edit.publish_hold(blueprint_hold(row, asked.by))
    return Edited(row.name, to, row.revision, True)


def blueprint_hold(row: BlueprintRow, by: str) -> Hold:
    """What the shards are told of a blueprint's hold."""
    return Hold(f"blueprint:{row.name}", row.hold_revision, row.status == "paused", row.hold_freeze, row.hold_reason, by)


def same_timers(what: str, asked: bool | None, freeze: bool) -> None:
    """A hold keeps its Timers for as long as it lasts. Raises NotPossible."""
    if asked is not None and asked != freeze:
        raise NotPossible(
            f"{what} is paused already, and its timers {'stand still' if freeze else 'run'}", hint="resume it first to choose otherwise"
        )
