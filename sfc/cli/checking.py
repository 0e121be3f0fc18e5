"""Checks documents as a deploy does, as far as that is possible without a registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sfc.errors import Problem

_OF_THE_REGISTRY = ("unknown-task", "unknown-version")  # it may well know them


def problems_of(documents: Sequence[tuple[str, dict[str, Any]]]) -> list[tuple[str, Problem]]:
    """All problems of blueprints and tasks, with their files. A task that is not among the documents is only warned of."""
    from sfc.asl import validate
    from sfc.cli.documents import is_task
    from sfc.registry.blueprint_document import KnownTask, check_blueprint
    from sfc.registry.task_document import check_task

    tasks = {str(d.get("Name")): KnownTask(1, {1: d}) for _, d in documents if is_task(d)}
    found = []
    for file, document in documents:
        if is_task(document):
            problems = check_task(document)
        elif "Sfc" in document:
            problems = [p._replace(severity="warning") if p.code in _OF_THE_REGISTRY else p for p in check_blueprint(document, tasks)]
        else:
            problems = validate(document)  # a plain state machine: good language, not yet a blueprint
        found += [(file, problem) for problem in problems]
    return found
