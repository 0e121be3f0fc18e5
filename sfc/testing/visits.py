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
    done: bool = False  # it has an output


_ENDS = {
    "ExecutionSucceeded": "stopped",  # what was detached and is awaited by nobody
    "ExecutionFailed": "stopped",
    "ExecutionTimedOut": "the flow's time was up",
    "ExecutionAborted": "stopped",
}
_OF_A_CHILD = ("ParallelStateFailed", "MapIterationFailed", "DetachedFailed")
_OF_ALL_BELOW = ("ParallelStateFailed", "MapStateFailed", "RetryScheduled")


def visits_of(history: Iterable[dict[str, Any]]) -> list[Visit]:
    """The visits of a history of ``Outcome``, in order. Of states that were under way when something else failed it says that they were
    stopped; the error is told of the state that had it, and of those that fail by it."""
    made: list[Visit] = []
    inside: dict[int, Visit] = {}
    tree = _Tree()
    started: datetime | None = None

    def leave(branch: int, left: str) -> None:
        if (visit := inside.pop(branch, None)) is not None:
            visit.took, visit.left = round(seconds - visit.seconds, 3), left

    for row in history:
        moment = datetime.fromisoformat(row["time"])
        started = started or moment
        seconds = (moment - started).total_seconds()
        kind, branch = row["type"], row.get("branch", 0)
        if kind in _OF_A_CHILD and row.get("child", -1) >= 0:
            leave(row["child"], f"failed: {row['error']}" if row.get("error") else "failed")
        for ended in tree.ended_by(row, inside.get(branch)):
            leave(ended, "stopped")
        if kind.endswith("StateEntered"):
            inside[branch] = Visit(row["state"], row["kind"], branch, seconds, row.get("input"))
            made.append(inside[branch])
        elif kind.endswith("StateExited"):
            visit = inside[branch]
            visit.done = True
            visit.output, visit.next = row.get("output"), row.get("next")
            caught = f"caught {row['caught'] or 'an error'}: " if "caught" in row else ""
            leave(branch, f"{caught}{visit.next or ('end' if branch == 0 else 'end of the branch')}")
        elif kind == "TaskScheduled" and branch in inside:
            inside[branch].attempts = row["attempt"]
        elif kind in _ENDS:
            if kind == "ExecutionFailed":
                leave(0, f"failed: {row['error']}" if row.get("error") else "failed")
            for still in list(inside):
                leave(still, _ENDS[kind])
    return made


class _Tree:
    """Which branches are below which. Those that are detached are below a holder, which the branch that started them outlives."""

    def __init__(self) -> None:
        self._below: dict[int, list[int]] = {}
        self._holders: dict[tuple[int, str], int] = {}
        self._iterations: dict[tuple[int, int], int] = {}

    def ended_by(self, row: dict[str, Any], visit: Visit | None) -> list[int]:
        """The branches that end by what a row says, and nothing in them failed. ``visit``: of the branch that the row is about."""
        kind, branch = row["type"], row.get("branch", 0)
        ended: list[int] = []
        if kind in _OF_ALL_BELOW:
            ended = self._all_below(branch, held=False)
        elif kind == "MapIterationFailed":
            ended = self._all_below(row["child"])
        elif kind == "MapIterationAborted" and (aborted := self._iterations.get((branch, row["index"]))) is not None:
            ended = [aborted, *self._all_below(aborted)]
        elif kind == "JoinSucceeded":
            ended = self._all_below(row["holder"])
        elif kind == "ParallelStateStarted":
            self._below.setdefault(branch, []).extend(row["ids"])
        elif kind == "MapIterationStarted":
            self._below.setdefault(branch, []).append(row["id"])
            self._iterations[branch, row["index"]] = row["id"]
        elif kind == "DetachedStarted":
            place = branch, visit.state if visit is not None else ""
            ended = self._all_below(self._holders[place]) if place in self._holders else []
            self._holders[place] = row["id"]
            self._below.setdefault(branch, []).append(row["id"])
            self._below[row["id"]] = list(row["ids"])
        return ended

    def _all_below(self, branch: int, held: bool = True) -> list[int]:
        """``held``: with the branches that it has detached."""
        holders = set(self._holders.values())
        found = []
        for child in self._below.get(branch, ()):
            if held or child not in holders:
                found += [child, *self._all_below(child)]
        return found
