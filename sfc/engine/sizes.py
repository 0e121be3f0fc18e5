"""How much payloads and states weigh, measured where they are about to be told (EXACTLY-ONCE 27)."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from sfc.asl import Failure
from sfc.engine.flow import Branch, Flow
from sfc.engine.limits import DEPTH_MAX, is_too_deep
from sfc.engine.turn import FLOW_BYTES_MAX, PAYLOAD_BYTES_MAX, Turn, encode

DATA_LIMIT = "States.DataLimitExceeded"
PAYLOADS_IN_FLOW = FLOW_BYTES_MAX // PAYLOAD_BYTES_MAX
PAYLOADS_PER_BRANCH = 3  # its input, its result, an answer held
BRANCH_BYTES = 2_048  # of a branch without its payloads, at most: names, times, a token
RESULT_BYTES = 5  # beside a result: a comma, and null where there is none yet


def too_large(what: str, size: int, most: int = PAYLOAD_BYTES_MAX) -> Failure:
    return Failure(DATA_LIMIT, f"{what} has {size} bytes of JSON: at most {most} can be carried")


def output_too_large(size: int, most: int = PAYLOAD_BYTES_MAX) -> Failure:
    """Of a job. A worker that finds it before the engine does says the same. ``most``: less where the reply topic takes less."""
    return too_large("the output of the job", size, most)


def too_deep(what: str) -> Failure:
    return Failure(DATA_LIMIT, f"{what} has lists and objects nested deeper than {DEPTH_MAX} levels")


def as_known(value: Any, known: Any) -> Any:
    """``known`` where the value is the same JSON, byte for byte; else the value.

    A payload that the history has already is not told again. Whether two values are one object in memory must not decide that: they may
    be one in a flow that lives, and two in the same flow when its state was decoded since.
    """
    if value is known or value.__class__ is not known.__class__ or value != known:
        return value
    return known if encode(value) == encode(known) else value


def weigh(turn: Turn, what: str, value: Any) -> Failure | None:
    """Measures a payload that the history is about to be told, and that the flow will carry; a Failure when it is too large or deep."""
    try:
        encoded = encode(value)
    except RecursionError:
        return too_deep(what)
    turn.told += len(encoded)
    if len(encoded) > PAYLOAD_BYTES_MAX:
        return too_large(what, len(encoded))
    return too_deep(what) if is_too_deep(encoded) else None


def size_over(flow: Flow) -> int:
    """The size of a flow's state in bytes, when it is over the limit; else 0. Every payload is at most 256 KiB, so a flow with few
    branches cannot be too large and costs nothing here; what Maps keep was weighed when it came."""
    branches = flow.branches
    if len(branches) == 1 and 0 in branches:  # as most have: what follows would say the same
        only = branches[0]
        if only.map is None and len(only.variables) < PAYLOADS_PER_BRANCH and len(flow.signals) < PAYLOADS_PER_BRANCH:
            return 0
    kept = sum(branch.map.size + RESULT_BYTES * len(branch.map.results) for branch in branches.values() if branch.map is not None)
    if _payloads(flow) + kept // PAYLOAD_BYTES_MAX < PAYLOADS_IN_FLOW or (kept and _bound(flow) + kept < FLOW_BYTES_MAX):
        return 0
    if kept:
        flow = replace(flow, branches={branch.id: _emptied(branch) for branch in branches.values()})
    size = len(encode(flow)) + kept
    return size if size > FLOW_BYTES_MAX else 0


def _bound(flow: Flow) -> int:
    """What a flow with many branches has at most in bytes, without what its Maps keep. Their payloads are encoded, all else is estimated:
    this runs after each iteration of a Map."""
    payloads: list[Any] = []
    for branch in flow.branches.values():
        if branch.map is None or branch.map.items is not UNSET:
            payloads.append(branch.data)
        if branch.result is not UNSET:
            payloads.append(branch.result)
        if branch.variables:
            payloads.append(branch.variables)
    answers = 1 + len(flow.inbox) + len(flow.signals)  # the flow's own input among them
    return len(encode(payloads)) + BRANCH_BYTES * len(flow.branches) + PAYLOAD_BYTES_MAX * answers


def _emptied(branch: Branch) -> Branch:
    """A Map's branch without what was weighed already."""
    if branch.map is None:
        return branch
    data = None if branch.map.items is UNSET else branch.data
    reads, writes = branch.map.reads, branch.map.writes
    if reads is not None:
        reads = replace(reads, request=None, ahead=UNSET)
    if writes is not None:
        writes = replace(writes, request=None, filling={}, open={})
    return replace(branch, data=data, map=replace(branch.map, items=UNSET, results=[], reads=reads, writes=writes))


def _payloads(flow: Flow) -> int:
    """How many payloads, of at most 256 KiB each, the flow may hold; variables by their real size, since most are small and many."""
    count = len(flow.branches) * PAYLOADS_PER_BRANCH + len(flow.signals)
    for branch in flow.branches.values():
        held = branch.variables
        if held:
            count += len(held) if len(held) < PAYLOADS_PER_BRANCH else -(-len(encode(held)) // PAYLOAD_BYTES_MAX)
    return count
