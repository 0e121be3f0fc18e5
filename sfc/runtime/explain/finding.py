"""The committed state of one flow: from its history, or from ``sfc.state`` where the history is not whole."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from sfc.engine.events import AnyEvent, ExecutionForgotten
from sfc.engine.evolve import evolve
from sfc.engine.flow import Flow
from sfc.errors import LogUnavailable
from sfc.ports import Log, Partition
from sfc.wire.partition import partition_of
from sfc.wire.state import decode_flow
from sfc.wire.topics import Names

STALLED_S = 10.0


def folded(events: Iterable[Mapping[str, Any]]) -> Flow | None:
    """The state that a run's events give, as the flow index tells them; None where they are not whole."""
    flow: Flow | None = None
    for number, row in enumerate(events, 1):
        if row["seq"] != number:
            return None
        told = {**row, "name": row["signal"]} if "signal" in row else row
        event: AnyEvent = msgspec.convert(told, AnyEvent)
        if isinstance(event, ExecutionForgotten):
            break  # it is told as it was
        flow = evolve(flow, event)
    return flow


def in_state(log: Log, names: Names, shards: int, flow_id: str) -> Flow | None:
    """Reads the flow's whole partition of ``sfc.state``: right, and slow where many flows are open."""
    key = flow_id.encode()
    at = Partition(names.state, partition_of(key, shards))
    start, end = log.starts([at])[at], log.ends([at])[at]
    if start >= end:
        return None
    found: bytes | None = None
    reader = log.reader({at: start})
    position, moved_s = start, time.monotonic()
    try:
        while position < end:
            for record in reader.take(5_000, 0.2):
                if record.key == key:
                    found = record.value
            if reader.position(at) > position:
                position, moved_s = reader.position(at), time.monotonic()
            elif time.monotonic() - moved_s > STALLED_S:
                raise LogUnavailable(f"{at.topic}-{at.number} was to be read up to offset {end}, and nothing comes behind {position}")
    finally:
        reader.close()
    return None if found is None else decode_flow(found)
