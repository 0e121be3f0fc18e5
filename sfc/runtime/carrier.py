"""Carries commands with source and mark, and dead letters, to the log: what triggers, reply bridges and control have in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sfc.engine.commands import Command
from sfc.errors import LogError
from sfc.log import get_logger
from sfc.ports import Consumer, Log, Partition, Position, Record
from sfc.runtime.letters import letter_of, send_letter
from sfc.wire.commands import Mark, encode_command
from sfc.wire.partition import partition_of
from sfc.wire.topics import Names

COMMIT_S = 0.1
COMMIT_RECORDS = 1_000

_log = get_logger()


class Carrier:
    """One gapless producer (EXACTLY-ONCE 4): any failure there is fatal, and work resumes from the committed positions. ``now_s``: a
    monotonic clock."""

    def __init__(self, log: Log, names: Names, shards: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._names = names
        self._shards = shards
        self._producer = log.producer(gapless=True)
        self._now_s = now_s
        self._due_s = now_s() + COMMIT_S
        self._carried = 0

    def command(self, flow: str, command: Command, source: str, mark: Mark) -> None:
        """Appends a command to its flow's shard. Raises RecordTooLarge, and nothing was sent."""
        value, head = encode_command(command, source, mark)
        key = flow.encode()
        self._producer.send(self._names.commands, value, key, head, partition_of(key, self._shards))

    def dead_letter(self, record: Record, topic_id: str, reason: str, detail: str) -> None:
        """Sends the record as it came to the dead letters; one that is too large for them goes without its value."""
        send_letter(self._producer, self._names, letter_of(record, topic_id, reason, detail))

    def due(self, records: int) -> bool:
        """Counts records that were taken; whether it is time to commit them."""
        self._carried += records
        return bool(self._carried) and (self._carried >= COMMIT_RECORDS or self._now_s() >= self._due_s)

    def flush(self) -> None:
        """Everything carried is in the log, and its offsets may be committed. Raises ProducerFailed."""
        self._producer.flush()
        self._carried = 0
        self._due_s = self._now_s() + COMMIT_S

    def commit(self, consumer: Consumer, records: Sequence[Record]) -> None:
        """Commands first, offsets after (EXACTLY-ONCE 4). ``records``: what the consumer gave, all of it carried. Raises ProducerFailed."""
        self.flush()
        try:
            consumer.commit({Partition(r.topic, r.partition): Position(r.offset + 1) for r in records})
        except LogError as e:  # put out of the group: whoever comes next repeats these, and the marks drop them
            _log.info("offsets were not committed", action="commit-refused", topic=records[0].topic, reason=e.message)

    def close(self) -> None:
        self._producer.close()


def source_id(kind: str, uid: str, *more: str) -> str:
    """A source's name (EXACTLY-ONCE 3)."""
    return "/".join((kind, uid, *more))


def topic_id_of(source: str) -> str:
    """The id of the topic that a trigger's source carries over; empty for other sources."""
    parts = source.split("/")
    return parts[3] if parts[0] == "trigger" and len(parts) == 5 else ""


def mark_of(record: Record) -> Mark:
    """Leader epoch and offset: an unclean election starts a new epoch, so offsets that come again are above the old marks."""
    return (record.leader_epoch, record.offset)
