"""The items of a distributed Map with an ItemReader: jobs of the common workers read them, a page each, when they are needed.

A job is told ``{"Parameters", "ReaderConfig"}`` as the state has made it once, and a ``Cursor`` but for the first page; it answers
``{"Items": […], "Next": cursor or null}``. The cursor is the reader's own: any JSON that says where the next page begins. The flow has
the page whose items are being started, and asks for the one behind it; so its state does not grow with the items. As with any job one
answer is taken; a job that is done again, since its worker or the engine died, is told the same cursor.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sfc.asl import Failure, MapState
from sfc.asl.map_state import ItemReader
from sfc.engine import events as e
from sfc.engine.batches import batched, most_in_batch
from sfc.engine.commands import Complete, DispatchFailed, Outcome
from sfc.engine.effects import DispatchJob
from sfc.engine.flow import Branch, Reads, items_of
from sfc.engine.ids import job_hash, token_stem
from sfc.engine.iterations import MAP_BYTES_MAX, going_of
from sfc.engine.sizes import DATA_LIMIT, too_large
from sfc.engine.turn import PAYLOAD_BYTES_MAX, Turn, encode

READER_FAILED = "States.ItemReaderFailed"
READ_S = 3_600  # within which a page must have been read
CURSOR_BYTES_MAX = 32 * 1024
PAGE_ITEMS_MAX = 1_000


class Page(NamedTuple):
    """Some of the items, in their order. ``last``: there are no more."""

    items: list[Any]
    next: Any
    last: bool


def request_of(turn: Turn, branch: Branch, state: MapState, reader: ItemReader, effective: Any) -> dict[str, Any] | Failure:
    """What the reader is told, the same for each page. ``Batch``: a page ends with a whole number of so many items, where it can."""
    return told(state, reader, effective, turn.context(branch), most_in_batch(turn, branch, state, effective))


def told(state: MapState, reader: ItemReader, effective: Any, context: Any, batch: int = 1) -> dict[str, Any] | Failure:
    """As ``request_of``, where no turn is at hand. ``batch``: how many items make a batch."""
    request = reader.request(effective, context)
    if isinstance(request, Failure):
        return request
    if batch > 1:
        request["Batch"] = min(batch, PAGE_ITEMS_MAX)
    size = len(encode(request))
    if size > PAYLOAD_BYTES_MAX - CURSOR_BYTES_MAX:
        return too_large(f"what the ItemReader of state {state.name!r} is told", size)
    return request


def ask(turn: Turn, branch: Branch, state: MapState) -> None:
    """Sends the job that reads the next page, when there may be one, and room for it."""
    reads = going_of(branch).reads
    if reads is None or not reads.more or reads.token or reads.ahead:
        return
    request = reads.request if reads.cursor is None else {**reads.request, "Cursor": reads.cursor}
    value = encode(request)
    target, flow = turn.program.targets[state.name], turn.flow
    token = token_stem(turn.flow_id, flow.run, turn.seq + 1) + job_hash(target.resource, state.name, value)
    attempt, due_ms = 1 + sum(branch.retries), turn.now + READ_S * 1000
    turn.emit(e.ItemReaderScheduled, branch.id, token, target.resource, attempt, due_ms)
    job = DispatchJob(token, flow.id, flow.blueprint, flow.version, state.name, target, value, attempt, due_ms, flow.traceparent)
    turn.effects.append(job)


def reached(branch: Branch) -> int:
    """How many items, or batches of them, are known so far: those that were started, and those in hand."""
    going = going_of(branch)
    if going.reads is None:
        return len(items_of(branch))
    ahead = going.reads.ahead
    return going.reads.first + len(items_of(branch)) + (len(ahead) if isinstance(ahead, list) else 0)


def is_whole(branch: Branch) -> bool:
    """Whether all items are known."""
    reads = going_of(branch).reads
    return reads is None or not reads.more


def take(turn: Turn, branch: Branch, state: MapState, reads: Reads, outcome: Outcome) -> Failure | None:
    """Takes the answer to the open job: a page. A Failure is the Map's."""
    failure = _taken(turn, branch, state, reads, outcome)
    if failure is not None:
        turn.emit(e.ItemReaderFailed, branch.id, failure.error, failure.cause)
    return failure


def on_due(turn: Turn, branch: Branch) -> Failure:
    """The page has not come in time."""
    failure = Failure(READER_FAILED, f"a page of the items was not read within {READ_S} s")
    turn.emit(e.ItemReaderFailed, branch.id, failure.error, failure.cause)
    return failure


def failure_in(outcome: Outcome, error: str) -> Failure:
    """What an answer that is none means. ``error``: where it names none."""
    if isinstance(outcome, DispatchFailed):
        return Failure(error, f"the job could not be sent: {outcome.cause}")
    return Failure(getattr(outcome, "error", None) or error, getattr(outcome, "cause", None))


def _taken(turn: Turn, branch: Branch, state: MapState, reads: Reads, outcome: Outcome) -> Failure | None:
    if not isinstance(outcome, Complete):
        return failure_in(outcome, READER_FAILED)
    page = _page_of(outcome.output)
    if page is None:
        return Failure(READER_FAILED, 'the reader\'s answer is no page of items: expected {"Items": […], "Next": cursor or null}')
    if not page.last and (size := len(encode(page.next))) > CURSOR_BYTES_MAX:
        return Failure(READER_FAILED, f"the reader's cursor has {size} bytes of JSON: at most {CURSOR_BYTES_MAX} can be kept")
    items: Any = page.items
    if state.batcher is not None:
        effective = turn.effective(state, branch)
        items = effective if isinstance(effective, Failure) else batched(turn, branch, state, effective, page.items, reads.read)
    if isinstance(items, Failure):
        return items
    size = len(encode(items))
    total = going_of(branch).size + size
    if total > MAP_BYTES_MAX:
        what = f"a page of the items of state {state.name!r}, with what the Map has kept so far, has {total} bytes of JSON"
        return Failure(DATA_LIMIT, f"{what}: at most {MAP_BYTES_MAX} can be kept")
    turn.told += size
    turn.emit(e.ItemsRead, branch.id, items, size, len(page.items), page.next, page.last)
    return None


def _page_of(output: Any) -> Page | None:
    """None for what is no page."""
    match output:
        case {"Items": list(items), "Next": next}:
            return Page(items, next, next is None)
        case _:
            return None
