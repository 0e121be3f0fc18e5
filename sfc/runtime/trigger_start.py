"""Where a topic trigger begins (DESIGN section 8): at the topic's end as of the deploy, or where ``From`` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sfc.asl.timestamps import parse_timestamp
from sfc.errors import BadInput
from sfc.ports import Log, Partition, Position
from sfc.runtime.trigger_definition import definition_of, words_of
from sfc.wire.definitions import TriggerRecord
from sfc.wire.topics import Names


def place_trigger(log: Log, names: Names, blueprint: str, trigger: TriggerRecord) -> bool:
    """Commits where a new trigger begins; a deploy calls it before it is answered, so that no record published after it is missed.

    Partitions where this trigger has begun are left alone. False when the topic is not there yet: the trigger then begins with its
    first record. Raises LogError while the consumer group has members.
    """
    group = names.trigger_group(blueprint, trigger.id)
    info = log.describe(trigger.topic)
    if info is None:
        return False
    begun = log.group_positions(group)
    partitions = [Partition(trigger.topic, n) for n in range(info.partitions)]
    missing = [p for p in partitions if p not in begun or not continues(begun[p], trigger.uid, info.id)]
    if missing:
        are_new = has_begun(begun, trigger, info.id)
        log.set_group_positions(group, first_positions(log, trigger, info.id, missing, are_new=are_new))
    return True


def first_positions(
    log: Log, trigger: TriggerRecord, topic_id: str, partitions: Sequence[Partition], *, are_new: bool
) -> dict[Partition, Position]:
    """Where the trigger begins in partitions where it has not. ``are_new``: they came after the trigger, so that it begins with their
    first records, unless ``From`` names a time."""
    offsets: Mapping[Partition, int]
    if trigger.start not in ("earliest", "latest"):
        time_ns = parse_timestamp(trigger.start)
        if time_ns is None:
            raise BadInput(f"From must be latest, earliest or a time like 2026-01-31T12:00:00Z, and is {trigger.start!r}")
        offsets = log.offsets_at(partitions, -(-time_ns // 1_000_000))  # the first whole millisecond at or after it
    elif trigger.start == "earliest" or are_new:
        offsets = log.starts(partitions)
    else:
        offsets = log.ends(partitions)
    metadata = definition_of(trigger, topic_id).metadata
    return {partition: Position(offset, metadata) for partition, offset in offsets.items()}


def continues(position: Position, uid: str, topic_id: str) -> bool:
    """Whether a committed position is this trigger's, in this topic. One without words of ours was set by an operator, who meant it."""
    words = words_of(position.metadata)
    return words is None or (words.uid == uid and words.topic_id == topic_id)


def has_begun(positions: Mapping[Partition, Position], trigger: TriggerRecord, topic_id: str) -> bool:
    """Whether the trigger has begun in some partition of its topic: those without a commit were then added later."""
    return any(
        p.topic == trigger.topic and words_of(x.metadata) is not None and continues(x, trigger.uid, topic_id) for p, x in positions.items()
    )
