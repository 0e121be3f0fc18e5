"""Blueprints and tasks: documents, versions, holds, and the outbox that tells the log.

What needs the database is imported when it is asked for: `sfc validate` reads documents without one, in half the time. A name that
other packages import from here stands in ``_HOMES`` with the module that has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfc.registry.files import load_documents, parse_document

if TYPE_CHECKING:
    from sfc.registry.drafts import DraftInfo, Drafts
    from sfc.registry.groups import GroupInfo, Groups
    from sfc.registry.holds import HoldEdited, HoldInfo, Holds
    from sfc.registry.keys import Caller, KeyInfo, Keyring, Keys, MadeKey
    from sfc.registry.outbox import Outbox
    from sfc.registry.registry import Registry
    from sfc.registry.rollback import RolledBack
    from sfc.registry.schedules import ScheduleInfo, Schedules
    from sfc.registry.views import BlueprintInfo, Deployed, Edited, TaskInfo

__all__ = [
    "BlueprintInfo",
    "Caller",
    "Deployed",
    "DraftInfo",
    "Drafts",
    "Edited",
    "GroupInfo",
    "Groups",
    "HoldEdited",
    "HoldInfo",
    "Holds",
    "KeyInfo",
    "Keyring",
    "Keys",
    "MadeKey",
    "Outbox",
    "Registry",
    "RolledBack",
    "ScheduleInfo",
    "Schedules",
    "TaskInfo",
    "load_documents",
    "parse_document",
]

_HOMES = {
    **dict.fromkeys(("DraftInfo", "Drafts"), "drafts"),
    **dict.fromkeys(("GroupInfo", "Groups"), "groups"),
    **dict.fromkeys(("HoldEdited", "HoldInfo", "Holds"), "holds"),
    **dict.fromkeys(("Caller", "KeyInfo", "Keyring", "Keys", "MadeKey"), "keys"),
    "Outbox": "outbox",
    "Registry": "registry",
    "RolledBack": "rollback",
    **dict.fromkeys(("ScheduleInfo", "Schedules"), "schedules"),
    **dict.fromkeys(("BlueprintInfo", "Deployed", "Edited", "TaskInfo"), "views"),
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
