"""Blueprints and tasks: documents, versions, holds, and the outbox that tells the log."""

from sfc.registry.documents import load_documents, parse_document
from sfc.registry.drafts import DraftInfo, Drafts
from sfc.registry.groups import GroupInfo, Groups
from sfc.registry.holds import HoldEdited, HoldInfo, Holds
from sfc.registry.outbox import Outbox
from sfc.registry.registry import Registry
from sfc.registry.rollback import RolledBack
from sfc.registry.views import BlueprintInfo, Deployed, Edited, TaskInfo

__all__ = [
    "BlueprintInfo",
    "Deployed",
    "DraftInfo",
    "Drafts",
    "Edited",
    "GroupInfo",
    "Groups",
    "HoldEdited",
    "HoldInfo",
    "Holds",
    "Outbox",
    "Registry",
    "RolledBack",
    "TaskInfo",
    "load_documents",
    "parse_document",
]
