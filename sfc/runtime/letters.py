"""How a record becomes a dead letter: why, the letter, and its way to ``sfc.dead-letters``. What becomes of it there, see
``sfc.runtime.dead_letters``."""

from __future__ import annotations

from sfc.errors import RecordTooLarge
from sfc.log import get_logger
from sfc.ports import Producer, Record, Transaction
from sfc.runtime.metrics import DEAD_LETTERS
from sfc.wire.dead_letters import DETAIL_CHARACTERS_MAX, DeadLetter, dead_letter_headers, fitting, without_value
from sfc.wire.topics import Names

_log = get_logger()


class Refused(Exception):
    """A record that asks for what can't be: reason and detail of its dead letter."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def letter_of(record: Record, topic_id: str, reason: str, detail: str) -> DeadLetter:
    """The record as it came. ``topic_id``: of its topic."""
    origin = record.topic, topic_id, record.partition, record.offset
    return DeadLetter(reason, detail, *origin, record.key, record.value, tuple(record.headers))


def send_letter(producer: Producer | Transaction, names: Names, letter: DeadLetter) -> None:
    """Tells of the letter and sends it; one that is too large for its topic goes without its value."""
    detail, reason = letter.detail[:DETAIL_CHARACTERS_MAX], letter.reason
    _log.warning(detail, action="dead-letter", reason=reason, topic=letter.topic, partition=letter.partition, offset=letter.offset)
    DEAD_LETTERS.labels(reason).inc()
    try:
        _send(producer, names, fitting(letter))
    except RecordTooLarge:
        _send(producer, names, without_value(letter))


def _send(producer: Producer | Transaction, names: Names, letter: DeadLetter) -> None:
    producer.send(names.dead_letters, letter.value, letter.key, dead_letter_headers(letter), 0)
