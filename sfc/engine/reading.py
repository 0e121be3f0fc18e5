"""The items of a distributed Map with an ItemReader: a job of the common workers reads them, and answers in portions.

A portion is ``{"Reading": ID, "Number": 0, "Items": […], "Last": true}``, each small enough for one answer. A job may be done more than
once: portions of one reading are taken in order, each once; number 0 of another reading begins anew, so that items of two never mix.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sfc.asl import Failure, MapState
from sfc.asl.map_state import ItemReader
from sfc.engine import events as e
from sfc.engine.batches import batched
from sfc.engine.commands import Complete, Dispatched, DispatchFailed, Fail
from sfc.engine.effects import DispatchJob
from sfc.engine.flow import Branch, items_of
from sfc.engine.ids import job_hash, token_stem
from sfc.engine.iterations import MAP_BYTES_MAX, going_of
from sfc.engine.moves import fail, finish
from sfc.engine.sizes import DATA_LIMIT, too_large
from sfc.engine.spread import begin
from sfc.engine.turn import PAYLOAD_BYTES_MAX, Turn, encode

READER_FAILED = "States.ItemReaderFailed"
READ_S = 3_600  # within which the items must have been read


class Portion(NamedTuple):
    """Some of the items, in their order."""

    reading: str
    number: int
    items: list[Any]
    last: bool


def ask(turn: Turn, branch: Branch, state: MapState, reader: ItemReader, effective: Any) -> Failure | bool:
    """Sends the job that reads the items; False: it is waited for."""
    request = reader.request(effective, turn.context(branch))
    if isinstance(request, Failure):
        return request
    value = encode(request)
    if len(value) > PAYLOAD_BYTES_MAX:
        return too_large(f"what the ItemReader of state {state.name!r} is told", len(value))
    target = turn.program.targets[state.name]
    flow = turn.flow
    token = token_stem(turn.flow_id, flow.run, turn.seq + 1) + job_hash(target.resource, state.name, value)
    attempt, due_ms = 1 + sum(branch.retries), turn.now + READ_S * 1000
    turn.emit(e.ItemReaderScheduled, branch.id, token, target.resource, attempt, due_ms)
    job = DispatchJob(token, flow.id, flow.blueprint, flow.version, state.name, target, value, attempt, due_ms, flow.traceparent)
    turn.effects.append(job)
    return False


def awaits(branch: Branch, outcome: Complete | Fail | Dispatched | DispatchFailed) -> bool:
    """Whether this is what comes next: False for a portion that was taken, or is of a reading that another one has replaced."""
    if not isinstance(outcome, Complete):
        return not isinstance(outcome, Dispatched)
    portion = _portion_of(outcome.output)
    if portion is None:
        return True
    going = going_of(branch)
    if portion.reading == going.reading:
        return portion.number == going.portions
    return portion.number == 0


def kept(turn: Turn, branch: Branch, outcome: Complete | Fail | Dispatched | DispatchFailed) -> bool:
    """Takes an awaited portion while the flow stands; False for what leads on, or for no portion at all: it has to wait."""
    portion = _portion_of(outcome.output) if branch.phase == "reading" and isinstance(outcome, Complete) else None
    if portion is None or portion.last:
        return False
    size = len(encode(portion.items))
    if _total(branch, portion, size) > MAP_BYTES_MAX:
        return False
    _record(turn, branch, portion, size)
    return True


def on_outcome(turn: Turn, branch: Branch, state: MapState, outcome: Complete | Fail | Dispatched | DispatchFailed) -> None:
    """Takes an answer that is awaited; the last portion starts the iterations."""
    match outcome:
        case Complete():
            joined = _taken(turn, branch, state, outcome.output)
        case Fail():
            joined = Failure(outcome.error if outcome.error is not None else READER_FAILED, outcome.cause)
        case _:
            joined = Failure(READER_FAILED, f"the job could not be sent: {outcome.cause}" if isinstance(outcome, DispatchFailed) else "")
    if isinstance(joined, Failure):
        if branch.phase == "reading":
            turn.emit(e.ItemReaderFailed, branch.id, joined.error, joined.cause)
        fail(turn, branch, joined)
    elif joined:
        finish(turn, branch, state, branch.result, state.next)


def on_due(turn: Turn, branch: Branch) -> None:
    """The items have not come in time."""
    failure = Failure(READER_FAILED, f"the items were not read within {READ_S} s")
    turn.emit(e.ItemReaderFailed, branch.id, failure.error, failure.cause)
    fail(turn, branch, failure)


def _taken(turn: Turn, branch: Branch, state: MapState, output: Any) -> Failure | bool:
    """True when the Map is done with that: there were no items."""
    portion = _portion_of(output)
    if portion is None:
        return Failure(READER_FAILED, 'the reader\'s answer is no portion of items: expected {"Reading", "Number", "Items", "Last"}')
    size = len(encode(portion.items))
    total = _total(branch, portion, size)
    if total > MAP_BYTES_MAX:
        return _too_many(state, total)
    _record(turn, branch, portion, size)
    return _begun(turn, branch, state) if portion.last else False


def _begun(turn: Turn, branch: Branch, state: MapState) -> Failure | bool:
    """All items are here."""
    effective, context = turn.effective(state, branch), turn.context(branch)
    if isinstance(effective, Failure):
        return effective
    most = state.concurrency(effective, context)
    if isinstance(most, Failure):
        return most
    read = items_of(branch)
    items = batched(turn, branch, state, effective, read)
    if isinstance(items, Failure):
        return items
    size = going_of(branch).size
    if items is not read:
        size = len(encode(items))
        if size > MAP_BYTES_MAX:
            return _too_many(state, size)
        turn.told += size
    tolerance = state.tolerance(effective, context)
    if isinstance(tolerance, Failure):
        turn.emit(e.MapStarted, branch.id, len(items), refused=True)
        return tolerance
    return begin(turn, branch, state, items, most, size)


def _record(turn: Turn, branch: Branch, portion: Portion, size: int) -> None:
    turn.told += size
    turn.emit(e.ItemsRead, branch.id, portion.reading, portion.number, portion.items, size, portion.last)


def _total(branch: Branch, portion: Portion, size: int) -> int:
    return size if portion.number == 0 else going_of(branch).size + size


def _too_many(state: MapState, size: int) -> Failure:
    return Failure(DATA_LIMIT, f"the items of state {state.name!r} have {size} bytes of JSON: at most {MAP_BYTES_MAX} can be kept")


def _portion_of(output: Any) -> Portion | None:
    """None for what is no portion."""
    match output:
        case {"Reading": str(reading), "Number": int(number), "Items": list(items), "Last": bool(last)} if reading and number >= 0:
            return Portion(reading, number, items, last)
        case _:
            return None
