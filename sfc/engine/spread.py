"""A distributed Map: its iterations are flows of their own, spread over the shards.

The flow of the Map keeps its items, which iterations are at work (as numbers), and their results; what an iteration does is its own
flow's business. A report that comes while the flow stands is recorded, and nothing follows from it until the flow goes on.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from sfc.asl import Failure, MapState
from sfc.engine import events as e
from sfc.engine.children import DEPTH_MAX, TOO_DEEP, depth_of, failure_of, map_child, start_iteration
from sfc.engine.commands import ChildEnded
from sfc.engine.flow import Branch, items_of
from sfc.engine.ids import token_stem
from sfc.engine.iterations import MAP_BYTES_MAX, THRESHOLD, going_of, selected
from sfc.engine.limits import PORTION_BYTES
from sfc.engine.moves import fail, finish
from sfc.engine.sizes import DATA_LIMIT
from sfc.engine.turn import Turn, encode

LIVING_MAX = 1_000  # iterations at once; Step Functions has 10,000
STARTS_MAX = 100  # in one decision: then other flows get their turn
YIELD_MS = 1


def begin(turn: Turn, branch: Branch, state: MapState, items: list[Any], most: int, size: int) -> Failure | bool:
    """Starts the first iterations; see ``advance``. ``most``: MaxConcurrency, 0 for none."""
    if depth_of(turn.flow) >= DEPTH_MAX:
        return Failure(TOO_DEEP, f"child flows can be nested {DEPTH_MAX} deep, and this flow is as deep as that")
    token = f"{token_stem(turn.flow_id, turn.flow.run, turn.seq + 1)}map"
    limit = min(most or LIVING_MAX, LIVING_MAX)
    read = branch.map is not None and items is branch.map.items
    turn.emit(e.MapRunStarted, branch.id, token, len(items), limit, size, UNSET if read or items is branch.data else items, read)
    return advance(turn, branch, state)


def advance(turn: Turn, branch: Branch, state: MapState) -> Failure | bool:
    """Starts iterations, as many as may be at work and in this decision. True when all have ended: the Map has its result. A Failure is
    the Map's own."""
    going, items = going_of(branch), items_of(branch)
    while len(going.open) < going.limit and len(going.results) < len(items):
        if turn.started >= STARTS_MAX or turn.told >= PORTION_BYTES:
            if not turn.flow.yielded_ms:
                turn.emit(e.ExecutionYielded, turn.now + YIELD_MS)
                turn.yielded = True
            return False
        index = len(going.results)
        item = items[index]
        given = item if state.batcher is not None else selected(turn, branch, state, index, item)
        if isinstance(given, Failure):
            return given
        child = map_child(turn.flow, branch.token, index)
        turn.emit(e.ChildStarted, branch.id, index, child)
        start_iteration(turn, child, state.name, branch.token, index, given)
        turn.started += 1
    if going.open:
        return False
    turn.emit(e.MapRunSucceeded, branch.id)
    return True


def go_on(turn: Turn, branch: Branch, state: MapState) -> None:
    """Starts what may be started; the last end is the Map's."""
    joined = advance(turn, branch, state)
    if isinstance(joined, Failure):
        fail(turn, branch, joined)
    elif joined:
        finish(turn, branch, state, branch.result, state.next)


def ended(turn: Turn, branch: Branch, state: MapState, command: ChildEnded) -> None:
    """An iteration has ended."""
    going, index = going_of(branch), command.index
    if index not in going.open or _is_kept(turn, command):
        turn.closed = True
        return
    turn.ended_child = map_child(turn.flow, branch.token, index)
    failure = _record(turn, branch, state, command)
    if failure is None:
        if not turn.stands():
            go_on(turn, branch, state)
    elif turn.stands():
        turn.emit(e.OutcomeHeld, ChildEnded(command.token, "FAILED", None, failure.error, failure.cause, index))
    else:
        said = failure_of(command, turn.ended_child) or failure
        turn.emit(e.ChildFailed, branch.id, index, said.error, said.cause)
        fail(turn, branch, failure)


def _is_kept(turn: Turn, command: ChildEnded) -> bool:
    """Whether an end of this iteration was recorded already."""
    at = command.token, command.index
    return any(isinstance(held, ChildEnded) and (held.token, held.index) == at for held in turn.flow.inbox)


def let_go(turn: Turn, branch: Branch, held: ChildEnded) -> None:
    """An end that was recorded while the flow stood fails the Map, with the very error: it was judged when it came."""
    turn.emit(e.ChildFailed, branch.id, held.index, held.error, held.cause)
    fail(turn, branch, Failure(held.error, held.cause))


def _record(turn: Turn, branch: Branch, state: MapState, command: ChildEnded) -> Failure | None:
    """Notes a result, or a failure that is tolerated; a Failure when the Map fails by it."""
    going, index = going_of(branch), command.index
    failure = failure_of(command, turn.ended_child)
    if failure is None:
        size = len(encode(command.output))
        turn.told += size
        total = going.size + size
        if total > MAP_BYTES_MAX:
            what = f"the items and results of state {state.name!r} have {total} bytes of JSON"
            return Failure(DATA_LIMIT, f"{what}: at most {MAP_BYTES_MAX} can be kept")
        turn.emit(e.ChildSucceeded, branch.id, index, command.output, size)
        return None
    tolerance = state.tolerance(turn.effective(state, branch), turn.context(branch))
    if isinstance(tolerance, Failure) or not tolerance.allows(len(going.failed) + 1, len(items_of(branch))):
        return THRESHOLD
    turn.emit(e.ChildFailed, branch.id, index, failure.error, failure.cause, True)
    return None
