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

_ID_MAX = 512  # what Elasticsearch takes as an id; flows' are shorter
_NUMBER_MAX = 2**53 - 1  # what every reader of JSON keeps as it is; no run or sequence comes near it
_TIME_MS_MAX = 253_402_300_799_999  # the end of the year 9999


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
                marks.append(DeadLetterMark(resolved.id, resolved.state, _time_ms(record), resolved.by))
        elif record.value is not None:
            try:
                history.append(_usable(decode_history(record.value)))
            except MalformedRecord as e:
                malformed += 1
                where = f"{record.topic}-{record.partition}@{record.offset}"
                _log.warning("a history record was left out", action="monitor.malformed", record=where, reason=e.message)
    return Read(history, dead_letters, marks, malformed)


def _usable(record: HistoryRecord) -> HistoryRecord:
    """What an index can keep: an id that it takes, and numbers that fit. Anything else would be refused anew for ever, and all that
    comes behind it would wait. Raises MalformedRecord."""
    if not 0 < len(record.flow) <= _ID_MAX or not record.flow.isascii() or not record.flow.isprintable():
        raise MalformedRecord(f"{record.flow!r:.220} is no flow's id: at most {_ID_MAX} characters of ASCII were expected")
    s = record.summary
    numbers = {"run": record.run, "first": record.first, "version": s.version, "seq": s.seq, "redrives": s.redrives}
    times = {"started_ms": s.started_ms, "updated_ms": s.updated_ms, "ended_ms": s.ended_ms}
    for found, most in ((numbers, _NUMBER_MAX), (times, _TIME_MS_MAX)):
        for name, value in found.items():
            if not 0 <= value <= most:
                raise MalformedRecord(f"{name} must be a number from 0 to {most}, it is {value!r:.80}")
    for event in record.events:
        if not (0 <= event.seq <= _NUMBER_MAX and 0 <= event.at_ms <= _TIME_MS_MAX):
            raise MalformedRecord(f"an event has the number {event.seq!r:.80} and the time {event.at_ms!r:.80}: out of range")
    return record


def dead_letter_document(record: Record) -> DeadLetterDocument:
    """A record of sfc.dead-letters as the index keeps it. One whose origin is unknown gets an id of its own place."""
    letter = decode_dead_letter(record.key, record.value, list(record.headers))
    known = bool(letter.topic or letter.topic_id)
    return DeadLetterDocument(
        id=letter.id if known else f"{record.topic}-{record.partition}-{record.offset}",
        at_ms=_time_ms(record),
        reason=letter.reason,
        detail=letter.detail,
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        key=letter.key,
        value=letter.value,
        headers=list(letter.headers),
    )


def _time_ms(record: Record) -> int:
    """When it came; a producer may have written any time at all."""
    return min(max(record.append_ms or record.timestamp_ms, 0), _TIME_MS_MAX)
