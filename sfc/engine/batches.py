"""Batches of items, as an ItemBatcher makes them: each is the input of one iteration."""

from __future__ import annotations

from typing import Any

from sfc.asl import Failure, MapState
from sfc.asl.failure import runtime_failure
from sfc.asl.map_state import Number
from sfc.engine.flow import Branch
from sfc.engine.iterations import selected
from sfc.engine.turn import PAYLOAD_BYTES_MAX, Turn, encode


def batched(turn: Turn, branch: Branch, state: MapState, effective: Any, items: list[Any], first: int = 0) -> list[Any] | Failure:
    """``[{"BatchInput": …, "Items": […]}, …]``: as many items as may be, in their order; one at least, however large it is. ``first``: the
    place of the first item."""
    batcher = state.batcher
    if batcher is None:
        return items
    context = turn.context(branch)
    shared: dict[str, Any] = {}
    if batcher.input is not None:
        made = batcher.input(effective, context)
        if isinstance(made, Failure):
            return made
        shared = {"BatchInput": made}
    most = _limit("MaxItemsPerBatch", batcher.items, effective, context)
    bytes_most = _limit("MaxInputBytesPerBatch", batcher.bytes, effective, context)
    if isinstance(most, Failure):
        return most
    if isinstance(bytes_most, Failure):
        return bytes_most
    around = len(encode({**shared, "Items": []}))
    batches: list[list[Any]] = []
    size = 0
    for index, item in enumerate(items, first):
        given = selected(turn, branch, state, index, item)
        if isinstance(given, Failure):
            return given
        weight = len(encode(given)) + 1
        if not batches or (most and len(batches[-1]) >= most) or around + size + weight > (bytes_most or PAYLOAD_BYTES_MAX):
            batches.append([])
            size = 0
        batches[-1].append(given)
        size += weight
    return [{**shared, "Items": batch} for batch in batches]


def most_in_batch(turn: Turn, branch: Branch, state: MapState, effective: Any) -> int:
    """How many items make a batch; 1 where there are no batches, or only their bytes are limited."""
    found = None if state.batcher is None else _limit("MaxItemsPerBatch", state.batcher.items, effective, turn.context(branch))
    return found if isinstance(found, int) and found > 0 else 1


def _limit(field: str, given: int | Number | None, effective: Any, context: Any) -> int | Failure:
    """The number, 0 for none."""
    found = given.whole(effective, context) if isinstance(given, Number) else given or 0
    if isinstance(given, Number) and isinstance(found, int) and found < 1:
        return runtime_failure(f"{field} must be greater than zero, came {found}.")
    return found
