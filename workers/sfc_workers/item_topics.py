"""Items in a range of a topic: the value of each record, which is JSON."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from datetime import datetime
from typing import Any

import msgspec

from sfc.errors import LogError
from sfc.ports import Log, Partition

SILENCE_S = 30.0
BATCH = 500

_decode = msgspec.json.Decoder().decode


Place = list[list[int]]
"""By partition: its number, the next offset, and the one behind the last."""


def records(log: Log, topic: str, parameters: dict[str, Any], place: Place | None = None) -> Generator[tuple[Any, Place], None, None]:
    """From ``From`` to just before ``To``, partition after partition, in the order of the offsets, each with the place behind it; a
    record without a value is null. ``place``: where to begin; the range was fixed then.

    Both are an offset (of the one partition, or of ``Partition``), a time (RFC 3339, of the records' timestamps), or missing: from the
    beginning, to the end as it is now. Raises ValueError.
    """
    try:
        ranges = _still_there(log, topic, place) if place else _ranges(log, topic, parameters)
        for number, (partition, begin, end) in enumerate(ranges):
            rest = [[p.number, first, last] for p, first, last in ranges[number + 1 :]]
            for offset, value in _between(log, partition, begin, end):
                yield value, [[partition.number, offset + 1, end], *rest]
    except LogError as e:
        raise ValueError(f"topic {topic}: {e.message}") from None


def _still_there(log: Log, topic: str, place: Place) -> list[tuple[Partition, int, int]]:
    """What is left of the ranges. Records that are deleted meanwhile are missed."""
    if log.describe(topic) is None:
        raise ValueError(f"there is no topic {topic} any more")
    ranges = [(Partition(topic, number), begin, end) for number, begin, end in place]
    starts = log.starts([partition for partition, _, _ in ranges])
    for partition, begin, end in ranges:
        if begin < end and starts[partition] > begin:
            there = f"they begin at {starts[partition]} now"
            raise ValueError(f"the records of partition {partition.number} of {topic} from offset {begin} on are deleted: {there}")
    return ranges


def _ranges(log: Log, topic: str, parameters: dict[str, Any]) -> list[tuple[Partition, int, int]]:
    info = log.describe(topic)
    if info is None:
        raise ValueError(f"there is no topic {topic}")
    chosen = parameters.get("Partition")
    if chosen is not None and (isinstance(chosen, bool) or not isinstance(chosen, int) or not 0 <= chosen < info.partitions):
        raise ValueError(f"Partition must be a number from 0 to {info.partitions - 1}, it is {chosen!r}")
    partitions = [Partition(topic, n) for n in (range(info.partitions) if chosen is None else [chosen])]
    starts, ends = log.starts(partitions), log.ends(partitions)
    begin = _offsets(log, parameters, "From", partitions, starts)
    end = _offsets(log, parameters, "To", partitions, ends)
    found = []
    for partition in partitions:
        for field, offset in (("From", begin[partition]), ("To", end[partition])):
            if not starts[partition] <= offset <= ends[partition] and isinstance(parameters.get(field), int):
                there = f"{starts[partition]} to {ends[partition]}"
                raise ValueError(f"{field} {offset} is not in partition {partition.number} of {topic}, which has offsets {there}")
        found.append((partition, begin[partition], min(end[partition], ends[partition])))
    return found


def _offsets(
    log: Log, parameters: dict[str, Any], field: str, partitions: list[Partition], default: dict[Partition, int]
) -> dict[Partition, int]:
    given = parameters.get(field)
    if given is None:
        return default
    if isinstance(given, int) and not isinstance(given, bool):
        if len(partitions) > 1:
            raise ValueError(f"{field} is an offset, and the topic has {len(partitions)} partitions: say which Partition, or write a time")
        return {partitions[0]: given}
    try:
        at = datetime.fromisoformat(given) if isinstance(given, str) and "T" in given else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError(f"{field} must be an offset or a time with its zone (2026-01-31T08:00:00Z), it is {given!r}")
    return log.offsets_at(partitions, int(at.timestamp() * 1000))


def _between(log: Log, partition: Partition, begin: int, end: int) -> Iterator[tuple[int, Any]]:
    if begin >= end:
        return
    reader = log.reader({partition: begin})
    try:
        heard_s, position = time.monotonic(), begin
        while position < end:
            for record in reader.take(BATCH, 0.1):
                if record.offset < end:
                    yield record.offset, _value(partition, record.offset, record.value)
            if (now := reader.position(partition)) > position:
                heard_s, position = time.monotonic(), now
            elif time.monotonic() - heard_s > SILENCE_S:
                raise ValueError(
                    f"partition {partition.number} of {partition.topic} gave nothing for {SILENCE_S:g} s, at offset {position}"
                )
    finally:
        reader.close()


def _value(partition: Partition, offset: int, value: bytes | None) -> Any:
    if value is None:
        return None
    try:
        return _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise ValueError(f"offset {offset} of partition {partition.number} of {partition.topic} is not JSON: {e}") from None
