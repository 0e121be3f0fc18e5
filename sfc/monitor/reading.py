"""Records of ``sfc.history`` and ``sfc.dead-letters`` as the index takes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sfc.errors import MalformedRecord
from sfc.log import get_logger
from sfc.ports import DeadLetterDocument, DeadLetterMark, Record
from sfc.wire.dead_letters import decode_dead_letter, decode_resolved
from sfc.wire.history import HistoryRecord, decode_history
from sfc.wire.topics import Names

_log = get_logger()


class Read(NamedTuple):
    """``malformed``: history records that could not be read, and were left out."""

    history: list[HistoryRecord]
    dead_letters: list[DeadLetterDocument]
    marks: list[DeadLetterMark]
    malformed: int


def read(records: Iterable[Record], names: Names) -> Read:
    """In order."""
    history: list[HistoryRecord] = []
    dead_letters: list[DeadLetterDocument] = []
    marks: list[DeadLetterMark] = []
    malformed = 0
    for record in records:
        if record.topic == names.dead_letters:
            resolved = decode_resolved(list(record.headers))
            if resolved is None:
                dead_letters.append(dead_letter_document(record))
            else:
                marks.append(DeadLetterMark(resolved.id, resolved.state, record.append_ms or record.timestamp_ms, resolved.by))
        elif record.value is not None:
            try:
                history.append(decode_history(record.value))
            except MalformedRecord as e:
                malformed += 1
                where = f"{record.topic}-{record.partition}@{record.offset}"
                _log.warning("a history record was left out", action="monitor.malformed", record=where, reason=e.message)
    return Read(history, dead_letters, marks, malformed)


def dead_letter_document(record: Record) -> DeadLetterDocument:
    """A record of sfc.dead-letters as the index keeps it. One whose origin is unknown gets an id of its own place."""
    letter = decode_dead_letter(record.key, record.value, list(record.headers))
    known = bool(letter.topic or letter.topic_id)
    return DeadLetterDocument(
        id=letter.id if known else f"{record.topic}-{record.partition}-{record.offset}",
        at_ms=record.append_ms or record.timestamp_ms,
        reason=letter.reason,
        detail=letter.detail,
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        key=letter.key,
        value=letter.value,
        headers=list(letter.headers),
    )
