"""A history as people read it: one row for each time that a state was entered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class Visit:
    """``seconds`` after the flow's start; ``took`` None where the state was never left. ``left``: how it was left, in a few words."""

    state: str
    kind: str
    branch: int
    seconds: float
    input: Any = None
    output: Any = None
    took: float | None = None
    attempts: int = 0
    left: str = ""
    next: str | None = None
    error: str | None = None
    done: bool = False  # it has an output


def visits_of(history: Iterable[dict[str, Any]]) -> list[Visit]:
    """The visits of a history of ``Outcome``, in order."""
    made: list[Visit] = []
    inside: dict[int, Visit] = {}
    started: datetime | None = None
    for row in history:
        moment = datetime.fromisoformat(row["time"])
        started = started or moment
        seconds = (moment - started).total_seconds()
        kind, branch = row["type"], row.get("branch", 0)
        if kind.endswith("StateEntered"):
            inside[branch] = Visit(row["state"], row["kind"], branch, seconds, row.get("input"))
            made.append(inside[branch])
        elif kind.endswith("StateExited"):
            visit = inside.pop(branch)
            visit.done = True
            visit.output, visit.next, visit.took = row.get("output"), row.get("next"), round(seconds - visit.seconds, 3)
            caught = f"caught {row['caught'] or 'an error'}: " if "caught" in row else ""
            visit.left = f"{caught}{visit.next or ('end' if branch == 0 else 'end of the branch')}"
        elif branch in inside:
            visit = inside[branch]
            if kind == "TaskScheduled":
                visit.attempts = row["attempt"]
            elif kind in ("TaskFailed", "TaskTimedOut", "ParallelStateFailed", "MapStateFailed"):
                visit.error = row.get("error")
        if kind in ("ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"):
            ended = {"ExecutionFailed": "failed", "ExecutionTimedOut": "the flow's time was up", "ExecutionAborted": "stopped"}[kind]
            for visit in inside.values():
                visit.took = round(seconds - visit.seconds, 3)
                visit.left = f"{ended}: {row['error']}" if kind == "ExecutionFailed" and row.get("error") else ended
    return made
