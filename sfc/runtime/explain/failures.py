"""Where a flow failed that failed inside a Parallel or a Map, or by a flow below it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from sfc.engine.flow import Branch, Flow
from sfc.runtime.explain.explanation import Reason

History = Callable[[str], Iterable[Mapping[str, Any]]]
"""The events of a flow's latest run, as the flow index tells them; none where they are not known."""


class FailedChild(Struct, frozen=True):
    """A flow by which a state failed. ``index``: of an iteration; -1: it is the flow of a ``blueprint:`` state."""

    flow: str
    index: int
    error: str | None
    cause: str | None


def where_it_failed(flow: Flow, history: History) -> Iterator[Reason]:
    """One reason for each branch that failed below another, or by a flow of its own: those alone say more than the flow's own error."""
    failed = [branch for branch in flow.branches.values() if branch.phase == "failed"]
    children = failed_children(history(flow.id)) if failed else {}
    for branch in failed:
        way, child = _way(flow, branch), children.get(branch.id)
        if child is not None:
            what = f"iteration {child.index} of the Map {branch.state!r}" if child.index >= 0 else f"the flow of {branch.state!r}"
            said = f"{what}{way and f', {way},'} failed: {child.flow}{_error(child.error, child.cause)}"
            yield Reason("child-failed", said, [f"sfc explain {child.flow}"], branch.state, child=child.flow)
        elif way:
            yield Reason("failed-in", f"it failed at {branch.state!r}, {way}{_error(*_told(flow, branch))}", state=branch.state)


def failed_children(events: Iterable[Mapping[str, Any]]) -> dict[int, FailedChild]:
    """By branch: the flow by whose failure its state failed last."""
    started: dict[tuple[int, int], str] = {}
    failed: dict[int, FailedChild] = {}
    for event in events:
        kind, branch = event.get("type"), event.get("branch", -1)
        index = event.get("index", -1)
        if kind == "ExecutionRedriven":
            failed.clear()
        elif kind in ("TaskScheduled", "MapRunStarted"):
            failed.pop(branch, None)
            started[branch, -1] = event.get("child", "")
        elif kind == "ChildStarted":
            started[branch, index] = event["child"]
        elif kind in ("TaskFailed", "ChildFailed") and not event.get("tolerated") and (child := started.get((branch, index))):
            failed[branch] = FailedChild(child, index, event.get("error"), event.get("cause"))
    return failed


def _way(flow: Flow, branch: Branch) -> str:
    """``in iteration 3 of the Map 'Each', in branch 0 of the Parallel 'Both'``, from the inside out; '' for the flow's own branch."""
    places = []
    while branch.parent >= 0 and (around := flow.branches.get(branch.parent)) is not None:
        kind = "branch {} of the Parallel" if around.map is None else "iteration {} of the Map"
        places.append(f"in {kind.format(branch.index)} {around.state!r}")
        branch = around
    return ", ".join(places)


def _told(flow: Flow, branch: Branch) -> tuple[str | None, str | None]:
    """Its error and cause: a detached branch has its own, any other has failed the flow with it."""
    while branch.parent >= 0 and (around := flow.branches.get(branch.parent)) is not None:
        if around.detached is not None and (broken := around.detached.failed.get(branch.index)) is not None:
            return broken.error, broken.cause
        branch = around
    return flow.error, flow.cause


def _error(error: str | None, cause: str | None) -> str:
    if not error and not cause:
        return ""
    return f": {error or 'without an error name'}{f': {cause:.500}' if cause else ''}"
