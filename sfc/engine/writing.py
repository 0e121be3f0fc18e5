"""The results of a distributed Map with a ResultWriter: jobs of the common workers write them, a part each.

Results are kept until they make a part, and a part until it is written; so the flow's state does not grow with the results. A part has a
status and a number, and with them its place: who writes it again writes the same to the same place. When all are written, the last job
writes the manifest, which lists them; its answer says where the results are. Its token tells the parts of this run of the Map from
those of another one.
"""

from __future__ import annotations

from typing import Any

from sfc.asl import Failure, MapState
from sfc.engine import events as e
from sfc.engine.children import map_child
from sfc.engine.commands import Complete, Outcome
from sfc.engine.effects import DispatchJob
from sfc.engine.flow import Branch, Writes
from sfc.engine.ids import job_hash, map_run, token_stem
from sfc.engine.iterations import MAP_BYTES_MAX
from sfc.engine.reading import failure_in
from sfc.engine.results import run_name
from sfc.engine.sizes import too_large
from sfc.engine.turn import PAYLOAD_BYTES_MAX, Turn, encode

WRITER_FAILED = "States.ResultWriterFailed"
WRITE_S = 3_600  # within which one of the parts that are open must have been written
PART_BYTES = 128 * 1024  # of the results in a part, about
PART_RESULTS = 1_000
WAITING_BYTES_MAX = 1024 * 1024  # of results that are not written: then no iteration starts
EXPECTED_BYTES_MAX = MAP_BYTES_MAX // 2  # of these, and of what those at work may bring before the next part is written
UNKNOWN_BYTES = 16 * 1024  # of a result, while there was none
STATUSES = ("SUCCEEDED", "FAILED")
MANIFEST = "MANIFEST"


def request_of(turn: Turn, branch: Branch, state: MapState, effective: Any) -> dict[str, Any] | Failure | None:
    """What the writer is told, the same for each part; None where nothing is written."""
    if state.writer is None or not state.writer.resource:
        return None
    request = state.writer.request(effective, turn.context(branch))
    if isinstance(request, Failure):
        return request
    size = len(encode(request))
    return request if size <= PAYLOAD_BYTES_MAX else too_large(f"what the ResultWriter of state {state.name!r} is told", size)


def is_full(writes: Writes | None, at_work: int) -> bool:
    """Whether so much waits to be written that no more should come; or would wait, if each iteration at work brought as much as the
    largest so far."""
    if writes is None:
        return False
    waiting = sum(writes.filled.values()) + sum(part.size for part in writes.open.values())
    expected = waiting + (at_work + 1) * (writes.largest or UNKNOWN_BYTES)
    return waiting > WAITING_BYTES_MAX or (at_work > 0 and expected > EXPECTED_BYTES_MAX)


def kept_size(writes: Writes | None, index: int, output: Any) -> int:
    """The bytes of JSON that the Map keeps of an output."""
    return len(encode(output if writes is None else {"Index": index, "Output": output}))


def broken_size(writes: Writes | None, index: int, failure: Failure) -> int:
    """The bytes of JSON that the Map keeps of a failure that is tolerated."""
    return 0 if writes is None else len(encode({"Index": index, "Error": failure.error, "Cause": failure.cause}))


def flush(turn: Turn, branch: Branch, state: MapState, writes: Writes, *, ended: bool) -> bool:
    """Sends parts that are full. ``ended``: no more results come; the last parts go, and when all are written, the manifest. True when
    that is written, too."""
    for status in STATUSES:
        while (waiting := writes.filling.get(status)) and (
            ended or writes.filled[status] >= PART_BYTES or len(waiting) >= PART_RESULTS  # what has come in one go may be several parts
        ):
            count = size = 0
            while count < min(len(waiting), PART_RESULTS) and size < PART_BYTES:
                size += len(encode(waiting[count]))
                count += 1
            results = [{**result, "Flow": map_child(turn.flow, branch.token, result["Index"])} for result in waiting[:count]]
            _send(turn, branch, state, writes, status, len(writes.sizes.get(status, ())), results, size)
    if not ended or writes.open:
        return False
    if writes.told is not None:
        return True
    _send(turn, branch, state, writes, MANIFEST, 0, [], 0)
    return False


def _send(
    turn: Turn, branch: Branch, state: MapState, writes: Writes, status: str, number: int, results: list[dict[str, Any]], size: int
) -> None:
    target, flow = turn.program.writers[state.name], turn.flow
    told = {**writes.request, "Run": map_run(branch.token), "MapRunArn": run_name(turn, state, branch.token), "Status": status}
    told |= {"Sizes": writes.sizes} if status == MANIFEST else {"Number": number, "Results": results}
    value = encode(told)
    token = token_stem(turn.flow_id, flow.run, turn.seq + 1) + job_hash(target.resource, state.name, value)
    attempt, due_ms = 1 + sum(branch.retries), turn.now + WRITE_S * 1000
    turn.emit(e.ResultWriterScheduled, branch.id, token, target.resource, status, number, len(results), size, due_ms)
    job = DispatchJob(token, flow.id, flow.blueprint, flow.version, state.name, target, value, attempt, due_ms, flow.traceparent)
    turn.effects.append(job)


def take(turn: Turn, branch: Branch, writes: Writes, outcome: Outcome) -> Failure | None:
    """Takes the answer to an open job. A Failure is the Map's."""
    part = writes.open[outcome.token]
    match outcome:
        case Complete(output={"Size": int(size)}) if part.status != MANIFEST and size >= 0:
            _written(turn, branch, writes, outcome.token, size, None)
            return None
        case Complete(output=dict(told)) if part.status == MANIFEST:
            _written(turn, branch, writes, outcome.token, 0, told)
            return None
        case Complete():
            expected = "where the results are" if part.status == MANIFEST else '{"Size": bytes}'
            failure = Failure(WRITER_FAILED, f"the writer's answer is none: expected {expected}")
        case _:
            failure = failure_in(outcome, WRITER_FAILED)
    turn.emit(e.ResultWriterFailed, branch.id, failure.error, failure.cause)
    return failure


def _written(turn: Turn, branch: Branch, writes: Writes, token: str, size: int, told: Any) -> None:
    due_ms = turn.now + WRITE_S * 1000 if len(writes.open) > 1 else 0
    turn.emit(e.ResultsWritten, branch.id, token, size, told, due_ms)


def on_due(turn: Turn, branch: Branch) -> Failure:
    """Nothing was written in time."""
    failure = Failure(WRITER_FAILED, f"no part of the results was written within {WRITE_S} s")
    turn.emit(e.ResultWriterFailed, branch.id, failure.error, failure.cause)
    return failure


def result_of(turn: Turn, branch: Branch, state: MapState, writes: Writes) -> dict[str, Any]:
    """The result of the Map."""
    return {"MapRunArn": run_name(turn, state, branch.token), "ResultWriterDetails": writes.told}
