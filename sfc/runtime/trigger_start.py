"""Where a topic trigger begins (DESIGN section 8): at the topic's end as of the deploy, or where ``From`` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sfc.errors import BadInput
from sfc.ports import Log, Partition, Position
from sfc.runtime.trigger_definition import definition_of, words_of
from sfc.wire.definitions import TriggerRecord
from sfc.wire.topics import Names


def place_trigger(log: Log, names: Names, blueprint: str, trigger: TriggerRecord) -> bool:
    """Commits where a new trigger begins; the deploy calls it before the trigger becomes known, so that no record published after the
    deploy is missed. Partitions where this trigger has begun are left alone. False when the topic is not there yet: it then begins
    with the first record. Raises LogError when the trigger runs already."""
    group = names.trigger_group(blueprint, trigger.id)
    info = log.describe(trigger.topic)
    if info is None:
        return False
    partitions = [Partition(trigger.topic, n) for n in range(info.partitions)]
    begun = log.group_positions(group)
    missing = [p for p in partitions if p not in begun or not continues(begun[p], trigger.uid, info.id)]
    if missing:
        log.set_group_positions(group, first_positions(log, trigger, info.id, missing))
    return True


def first_positions(
    log: Log, trigger: TriggerRecord, topic_id: str, partitions: Sequence[Partition], *, topic_is_new: bool = False
) -> dict[Partition, Position]:
    """Where the trigger begins in partitions where it has not. ``topic_is_new``: the topic, or these partitions, came after the trigger,
    so that all of their records did."""
    offsets: Mapping[Partition, int]
    if trigger.start == "earliest" or topic_is_new:
        offsets = log.starts(partitions)
    elif trigger.start == "latest":
        offsets = log.ends(partitions)
    else:
        offsets = log.offsets_at(partitions, _time_ms(trigger.start))
    metadata = definition_of(trigger, topic_id).metadata
    return {partition: Position(offset, metadata) for partition, offset in offsets.items()}


def continues(position: Position, uid: str, topic_id: str) -> bool:
    """Whether a committed position is this trigger's, in this topic. One without words of ours was set by an operator, who meant it."""
    words = words_of(position.metadata)
    return words is None or (words.uid == uid and words.topic_id == topic_id)


def _time_ms(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError as e:
        raise BadInput(f"From must be latest, earliest or a time like 2026-01-31T12:00:00Z, and is {text!r}") from e
