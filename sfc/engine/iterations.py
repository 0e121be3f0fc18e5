"""Iterations of a Map: starting them, so many at once, and what it means for the Map when one ends.

The items are kept once, in the Map's branch, and so are the results; only iterations at work are branches of their own. So a flow's state
stays as small as its items and results, however many iterations there are.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from sfc.asl import Failure, MapState
from sfc.engine import events as e
from sfc.engine.flow import Branch, Going, items_of
from sfc.engine.results import tried
from sfc.engine.sizes import DATA_LIMIT, as_known, weigh
from sfc.engine.turn import FLOW_BYTES_MAX, Turn, encode

MAP_BYTES_MAX = FLOW_BYTES_MAX * 3 // 4  # of items and results; the rest is for the iterations at work, and for what is around the Map


THRESHOLD = Failure("States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded")


def going_of(branch: Branch) -> Going:
    assert branch.map is not None  # asked only of a Map at work
    return branch.map


def results_of(going: Going) -> list[Any]:
    """The outputs, without those of iterations that failed."""
    left_out = set(going.failed)
    return [result for index, result in enumerate(going.results) if index not in left_out]


def selected(turn: Turn, branch: Branch, state: MapState, index: int, item: Any) -> Any | Failure:
    """The input of an iteration: the very item, or what the ItemSelector makes of it."""
    if state.item_selector is None:
        return item
    effective = turn.effective(state, branch)
    if isinstance(effective, Failure):
        return effective
    made = state.item_selector(effective, turn.context(branch, item=(index, item)))
    if isinstance(made, Failure):
        return made
    return weigh(turn, f"the input of iteration {index} of state {state.name!r}", made) or made


def advance(turn: Turn, branch: Branch, state: MapState) -> Failure | bool:
    """Starts iterations, as many as may live at once. True when nothing is left to be done: the Map has its result. A Failure is the
    Map's own."""
    going, items = going_of(branch), items_of(branch)
    while going.living < going.limit and len(going.results) < len(items):
        index = len(going.results)
        item = items[index]
        given = item if state.batcher is not None else selected(turn, branch, state, index, item)
        if isinstance(given, Failure):
            return given
        given = as_known(given, item)
        child = turn.flow.branches_made
        turn.emit(e.MapIterationStarted, branch.id, child, index, UNSET if given is item else given)
        turn.work.append((child, state.start_at))
    if going.living:
        return False
    return _ended(turn, branch, state, results_of(going))


def _ended(turn: Turn, branch: Branch, state: MapState, results: list[Any]) -> Failure | bool:
    """All iterations are done."""
    if state.writer is None:
        turn.emit(e.MapSucceeded, branch.id)
    elif not state.writer.resource:
        turn.emit(e.MapSucceeded, branch.id, state.writer.shaped(results))
    else:
        made = tried(turn, branch, state, state.writer)
        if isinstance(made, Failure):
            return made
        turn.emit(e.MapSucceeded, branch.id, made, results)
    return True


def succeeded(turn: Turn, branch: Branch, state: MapState, child: Branch) -> Failure | bool:
    """An iteration is done, and the next one starts; see ``advance``."""
    size = len(encode(child.data))
    total = going_of(branch).size + size
    if total > MAP_BYTES_MAX:
        what = f"the items and results of state {state.name!r} have {total} bytes of JSON"
        return Failure(DATA_LIMIT, f"{what}: at most {MAP_BYTES_MAX} can be kept")
    turn.emit(e.MapIterationSucceeded, branch.id, child.id, child.index, size)
    return advance(turn, branch, state)


def failed(turn: Turn, branch: Branch, state: MapState, child: Branch, failure: Failure) -> Failure | bool:
    """An iteration failed, and the Map fails with its error, and all other iterations end; or its failure is tolerated: see ``advance``."""
    cause = failure.said or failure.cause
    if not state.distributed:
        _end_all(turn, branch, child, failure.error, cause)
        return failure
    going = going_of(branch)
    tolerance = state.tolerance(turn.effective(state, branch), turn.context(branch))
    if isinstance(tolerance, Failure) or not tolerance.allows(len(going.failed) + 1, len(items_of(branch))):
        _end_all(turn, branch, child, failure.error, cause)
        return THRESHOLD
    turn.emit(e.MapIterationFailed, branch.id, child.id, child.index, failure.error, cause, True)
    return advance(turn, branch, state)


def _end_all(turn: Turn, branch: Branch, child: Branch, error: str | None, cause: str | None) -> None:
    others = [other.index for other in turn.flow.branches.values() if other.parent == branch.id and other.id != child.id]
    turn.emit(e.MapIterationFailed, branch.id, child.id, child.index, error, cause)
    for index in others:
        turn.emit(e.MapIterationAborted, branch.id, index)
