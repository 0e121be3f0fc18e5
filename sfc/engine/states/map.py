"""Map: a branch of control for each item of a list, so many at once; it joins them by itself (see sfc.engine.iterations)."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from sfc.asl import Failure, MapState
from sfc.asl.map_state import INLINE_LIVING_MAX, ItemReader
from sfc.engine import events as e
from sfc.engine import writing
from sfc.engine.batches import batched
from sfc.engine.flow import Branch
from sfc.engine.iterations import advance
from sfc.engine.moves import fail, finish
from sfc.engine.reading import READER_FAILED, request_of
from sfc.engine.sizes import as_known, weigh
from sfc.engine.spread import begin
from sfc.engine.turn import Turn


def enter(turn: Turn, branch: Branch, state: MapState) -> None:
    """Starts the iterations, or what reads their items: at entering the state, and again after the pause before a retry."""
    joined = _started(turn, branch, state)
    if isinstance(joined, Failure):
        fail(turn, branch, joined)
    elif joined:
        finish(turn, branch, state, branch.result, state.next)


def _started(turn: Turn, branch: Branch, state: MapState) -> Failure | bool:
    """True when there was nothing to wait for. As in Step Functions a wrong concurrency is found before the Map has started, a wrong
    threshold after it."""
    effective = turn.effective(state, branch)
    if isinstance(effective, Failure):
        return effective
    if state.reads and not turn.program.spreads:
        return Failure(READER_FAILED, f"the items of state {state.name!r} are read by nobody here: give it a mock")
    context = turn.context(branch)
    most = state.concurrency(effective, context)
    if isinstance(most, Failure):
        return most
    if state.reader is not None and state.reads:
        return _reading(turn, branch, state, state.reader, effective, most)
    found = state.items_of(effective, context)
    items = found if isinstance(found, Failure) else batched(turn, branch, state, effective, found)
    if isinstance(items, Failure):
        return items
    told = turn.told
    unfit = weigh(turn, f"the items of state {state.name!r}", items)
    if unfit is not None:
        return unfit
    size = turn.told - told
    items = as_known(items, branch.data)
    own = items is branch.data
    if own:
        turn.told = told  # the history has them already
    spreads = state.distributed and turn.program.spreads
    limit = min(most or INLINE_LIVING_MAX, INLINE_LIVING_MAX)
    tolerance = state.tolerance(effective, context)
    if isinstance(tolerance, Failure):
        turn.emit(e.MapStarted, branch.id, len(items), refused=True)
        return tolerance
    writes = writing.request_of(turn, branch, state, effective)
    if isinstance(writes, Failure):
        return writes
    if spreads:
        return begin(turn, branch, state, items, most, size, writes=writes)
    turn.emit(e.MapStarted, branch.id, len(items), limit, size, UNSET if own else items)
    return advance(turn, branch, state)


def _reading(turn: Turn, branch: Branch, state: MapState, reader: ItemReader, effective: Any, most: int) -> Failure | bool:
    """Asks for the first page of the items."""
    tolerance = state.tolerance(effective, turn.context(branch))
    if isinstance(tolerance, Failure):
        turn.emit(e.MapStarted, branch.id, 0, refused=True)
        return tolerance
    reads = request_of(turn, branch, state, reader, effective)
    if isinstance(reads, Failure):
        return reads
    writes = writing.request_of(turn, branch, state, effective)
    if isinstance(writes, Failure):
        return writes
    return begin(turn, branch, state, None, most, 0, reads, writes)
