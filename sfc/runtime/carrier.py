"""Carries commands with source and mark, and dead letters, to the log: what triggers and reply bridges have in common."""

from __future__ import annotations

import time

from sfc.engine.commands import Command
from sfc.errors import RecordTooLarge
from sfc.log import get_logger
from sfc.ports import Log, Record
from sfc.runtime.metrics import DEAD_LETTERS
from sfc.wire.commands import Mark, encode_command
from sfc.wire.dead_letters import DeadLetter, dead_letter_headers, fitting, without_value
from sfc.wire.partition import partition_of
from sfc.wire.topics import Names

COMMIT_S = 0.1
COMMIT_RECORDS = 1_000

_log = get_logger()


class Carrier:
    """One gapless producer (EXACTLY-ONCE 4): any failure there is fatal, and work resumes from the committed positions."""

    def __init__(self, log: Log, names: Names, shards: int) -> None:
        self._names = names
        self._shards = shards
        self._producer = log.producer(gapless=True)
        self._due_s = time.monotonic() + COMMIT_S
        self._carried = 0

    def command(self, flow: str, command: Command, source: str, mark: Mark) -> None:
        """Appends a command to its flow's shard. Raises RecordTooLarge, and nothing was sent."""
        value, head = encode_command(command, source, mark)
        key = flow.encode()
        self._producer.send(self._names.commands, value, key, head, partition_of(key, self._shards))

    def dead_letter(self, record: Record, topic_id: str, reason: str, detail: str) -> None:
        """Sends the record as it came to the dead letters; one that is too large for them goes without its value."""
        letter = DeadLetter(
            reason, detail, record.topic, topic_id, record.partition, record.offset, record.key, record.value, tuple(record.headers)
        )
        _log.warning(detail, action="dead-letter", reason=reason, topic=record.topic, partition=record.partition, offset=record.offset)
        DEAD_LETTERS.labels(reason).inc()
        try:
            self._send(fitting(letter))
        except RecordTooLarge:
            self._send(without_value(letter))

    def _send(self, letter: DeadLetter) -> None:
        self._producer.send(self._names.dead_letters, letter.value, letter.key, dead_letter_headers(letter), 0)

    def due(self, records: int) -> bool:
        """Counts records that were taken; whether it is time to commit them."""
        self._carried += records
        return bool(self._carried) and (self._carried >= COMMIT_RECORDS or time.monotonic() >= self._due_s)

    def flush(self) -> None:
        """Everything carried is in the log, and its offsets may be committed. Raises ProducerFailed."""
        self._producer.flush()
        self._carried = 0
        self._due_s = time.monotonic() + COMMIT_S

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
