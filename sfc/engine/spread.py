"""A distributed Map: its iterations are flows of their own, spread over the shards.

The flow of the Map keeps its items, which iterations are at work (as numbers), and their results; what an iteration does is its own
flow's business. Of items that are read it has no more than two pages (sfc.engine.reading), of results that are written those that are
not yet (sfc.engine.writing). A report that comes while the flow stands is recorded, and nothing follows from it until the flow goes on.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from sfc.asl import Failure, MapState
from sfc.engine import events as e
from sfc.engine import reading, writing
from sfc.engine.children import DEPTH_MAX, TOO_DEEP, depth_of, failure_of, map_child, start_iteration
from sfc.engine.commands import ChildEnded, Outcome
from sfc.engine.flow import Branch, Going, items_of
from sfc.engine.ids import token_stem
from sfc.engine.iterations import MAP_BYTES_MAX, THRESHOLD, going_of, results_of, selected
from sfc.engine.limits import PORTION_BYTES
from sfc.engine.moves import fail, finish
from sfc.engine.program import Program, Target
from sfc.engine.sizes import DATA_LIMIT, RESULT_BYTES, too_large
from sfc.engine.turn import PAYLOAD_BYTES_MAX, Turn, encode

LIVING_MAX = 1_000  # iterations at once; Step Functions has 10,000
STARTS_MAX = 100  # in one decision: then other flows get their turn
YIELD_MS = 1


def begin(
    turn: Turn,
    branch: Branch,
    state: MapState,
    items: list[Any] | None,
    most: int,
    size: int,
    reads: dict[str, Any] | None = None,
    writes: dict[str, Any] | None = None,
) -> Failure | bool:
    """Starts the first iterations, or asks for the first items; see ``advance``. ``most``: MaxConcurrency, 0 for none. ``items`` None:
    they are read. ``reads`` and ``writes``: what reader and writer are told."""
    if depth_of(turn.flow) >= DEPTH_MAX:
        return Failure(TOO_DEEP, f"child flows can be nested {DEPTH_MAX} deep, and this flow is as deep as that")
    token = f"{token_stem(turn.flow_id, turn.flow.run, turn.seq + 1)}map"
    limit = min(most or LIVING_MAX, LIVING_MAX)
    told = [UNSET if request is None else request for request in (reads, writes)]
    requests = sum(len(encode(request)) for request in (reads, writes) if request is not None)
    turn.told += requests
    own = UNSET if items is None or items is branch.data else items
    turn.emit(e.MapRunStarted, branch.id, token, -1 if items is None else len(items), limit, size + requests, own, *told)
    return advance(turn, branch, state)


def advance(turn: Turn, branch: Branch, state: MapState) -> Failure | bool:
    """Starts iterations, as many as may be at work and in this decision; asks for more items, and has results written. True when all
    have ended: the Map has its result. A Failure is the Map's own."""
    going = going_of(branch)
    reading.ask(turn, branch, state)
    while len(going.open) < going.limit and going.started < reading.reached(branch) and not writing.is_full(going.writes, len(going.open)):
        if turn.started >= STARTS_MAX or turn.told >= PORTION_BYTES:
            if not turn.flow.yielded_ms:
                turn.emit(e.ExecutionYielded, turn.now + YIELD_MS)
                turn.yielded = True
            return False
        failure = _start(turn, branch, state, going)
        if failure is not None:
            return failure
        reading.ask(turn, branch, state)
    ended = not going.open and reading.is_whole(branch) and going.started == reading.reached(branch)
    if ended and going.broken and not _allowed(turn, branch, state, going.broken):
        return THRESHOLD
    if going.writes is not None:
        if not writing.flush(turn, branch, state, going.writes, ended=ended):
            return False
    elif not ended:
        return False
    result: Any = UNSET
    if going.writes is not None:
        result = writing.result_of(turn, branch, state, going.writes)
    elif state.writer is not None:
        result = state.writer.shaped(results_of(going))
    turn.emit(e.MapRunSucceeded, branch.id, result)
    return True


def _start(turn: Turn, branch: Branch, state: MapState, going: Going) -> Failure | None:
    """Starts the next iteration."""
    index = going.started
    item = items_of(branch)[index - (going.reads.first if going.reads is not None else 0)]
    given = item if state.batcher is not None else selected(turn, branch, state, index, item)
    if isinstance(given, Failure):
        return given
    if state.batcher is not None and (size := len(encode(given))) > PAYLOAD_BYTES_MAX:
        return too_large(f"the batch {index} of state {state.name!r}", size)
    if (size := going.size + RESULT_BYTES * len(going.results)) > MAP_BYTES_MAX:
        return _too_much(state, size)
    child = map_child(turn.flow, branch.token, index)
    turn.emit(e.ChildStarted, branch.id, index, child)
    start_iteration(turn, child, state.name, branch.token, index, given)
    turn.started += 1
    return None


def go_on(turn: Turn, branch: Branch, state: MapState) -> None:
    """Starts what may be started; the last end is the Map's."""
    joined = advance(turn, branch, state)
    if isinstance(joined, Failure):
        fail(turn, branch, joined)
    elif joined:
        finish(turn, branch, state, branch.result, state.next)


def awaits(branch: Branch, token: str) -> bool:
    """Whether a job with this token is open, which reads items or writes results."""
    if branch.phase != "spread" or branch.map is None:
        return False
    reads, writes = branch.map.reads, branch.map.writes
    return (reads is not None and reads.token == token) or (writes is not None and token in writes.open)


def jobs_of(branch: Branch, program: Program) -> dict[str, Target]:
    """The open jobs of a distributed Map, by token: those that read its items, and those that write its results."""
    if branch.phase != "spread" or branch.map is None:
        return {}
    reads, writes = branch.map.reads, branch.map.writes
    found = {reads.token: program.targets[branch.state]} if reads is not None and reads.token else {}
    return found | dict.fromkeys(writes.open, program.writers[branch.state]) if writes is not None else found


def on_outcome(turn: Turn, branch: Branch, state: MapState, outcome: Outcome) -> None:
    """Takes an answer that is awaited: of the reader, or of the writer."""
    reads, writes = going_of(branch).reads, going_of(branch).writes
    if reads is not None and reads.token == outcome.token:
        failure = reading.take(turn, branch, state, reads, outcome)
    else:
        assert writes is not None  # awaits has said so
        failure = writing.take(turn, branch, writes, outcome)
    if failure is None:
        go_on(turn, branch, state)
    else:
        fail(turn, branch, failure)


def on_due(turn: Turn, branch: Branch) -> None:
    """A page was not read in time, or no part written."""
    late = branch.heartbeat_due_ms and (not branch.due_ms or branch.heartbeat_due_ms < branch.due_ms)
    fail(turn, branch, writing.on_due(turn, branch) if late else reading.on_due(turn, branch))


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
        size = writing.kept_size(going.writes, index, command.output)
        turn.told += size
        if (total := going.size + size) > MAP_BYTES_MAX:
            return _too_much(state, total)
        turn.emit(e.ChildSucceeded, branch.id, index, command.output, size)
        return None
    if not _allowed(turn, branch, state, going.broken + 1):
        return THRESHOLD
    size = writing.broken_size(going.writes, index, failure)
    if (total := going.size + size) > MAP_BYTES_MAX:
        return _too_much(state, total)
    turn.emit(e.ChildFailed, branch.id, index, failure.error, failure.cause, True, size)
    return None


def _allowed(turn: Turn, branch: Branch, state: MapState, broken: int) -> bool:
    """Whether so many failures are tolerated. A percentage is judged when all items are known."""
    tolerance = state.tolerance(turn.effective(state, branch), turn.context(branch))
    if isinstance(tolerance, Failure):
        return False
    return tolerance.allows(broken, reading.reached(branch) if reading.is_whole(branch) else None)


def _too_much(state: MapState, size: int) -> Failure:
    what = f"the items and results of state {state.name!r} have {size} bytes of JSON: at most {MAP_BYTES_MAX} can be kept"
    hint = "let the iterations give less, or have the results written by a ResultWriter"
    if state.writer is not None and state.writer.resource:
        hint = "they come faster than they are written: give the Map a lower MaxConcurrency"
    return Failure(DATA_LIMIT, f"{what} ({hint})")
