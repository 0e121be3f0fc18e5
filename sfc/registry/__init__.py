"""Blueprints and tasks: documents, versions, holds, and the outbox that tells the log."""

from sfc.registry.documents import load_documents, parse_document
from sfc.registry.outbox import Outbox
from sfc.registry.registry import Registry
from sfc.registry.views import BlueprintInfo, Deployed, Edited, TaskInfo

__all__ = ["BlueprintInfo", "Deployed", "Edited", "Outbox", "Registry", "TaskInfo", "load_documents", "parse_document"]
