"""Where a topic trigger begins in partitions where nothing is committed. As a rule the deploy has committed that; this is
for topics and partitions that came later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sfc.asl.timestamps import parse_timestamp
from sfc.errors import BadInput
from sfc.ports import Log, Partition, Position
from sfc.runtime.trigger_definition import words_of
from sfc.wire.definitions import TriggerRecord


def first_offsets(log: Log, trigger: TriggerRecord, partitions: Sequence[Partition], *, are_new: bool) -> Mapping[Partition, int]:
    """``are_new``: the partitions came after the trigger, so that it begins with their first records, unless ``From`` names a time."""
    if trigger.start not in ("earliest", "latest"):
        time_ns = parse_timestamp(trigger.start)
        if time_ns is None:
            raise BadInput(f"From must be latest, earliest or a time like 2026-01-31T12:00:00Z, and is {trigger.start!r}")
        return log.offsets_at(partitions, -(-time_ns // 1_000_000))
    if trigger.start == "earliest" or are_new:
        return log.starts(partitions)
    return log.ends(partitions)


def continues(position: Position, uid: str, topic_id: str) -> bool:
    """Whether a committed position is this trigger's, in this topic. One without words of ours was set by an operator, who meant it."""
    words = words_of(position.metadata)
    return words is None or (words.uid == uid and words.topic_id in ("", topic_id))
