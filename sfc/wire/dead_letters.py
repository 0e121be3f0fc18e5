"""Records of ``sfc.dead-letters``: what could not be understood, as it came, with its origin and the reason in headers.

A dead letter's id is its origin (topic id, partition, offset): one that is written again after a failure is the same one.
"""

from __future__ import annotations

from typing import NamedTuple

from sfc.wire import FORMAT, headers
from sfc.wire.topics import RECORD_BYTES_MAX

DETAIL_CHARACTERS_MAX = 1_000
KEY_BYTES_MAX = 1_000  # of a letter that is too large as it came
_OFFSET_MAX = 2**63 - 1
_OWN_BYTES_MAX = 8_192  # reason, detail and origin


class DeadLetter(NamedTuple):
    """``reason`` is a stable word (not-json, no-flow-id, flow-exists, unknown-token, …); ``detail`` a sentence."""

    reason: str
    detail: str
    topic: str
    topic_id: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def id(self) -> str:
        """Fit for a path of HTTP: Kafka writes its topic ids as base64, which has slashes."""
        named = (self.topic_id or self.topic).replace("+", "-").replace("/", "_").rstrip("=")
        return f"{named}-{self.partition}-{self.offset}"


_OWN = {
    headers.FORMAT,
    headers.REASON,
    headers.DETAIL,
    headers.ORIGIN_TOPIC,
    headers.ORIGIN_TOPIC_ID,
    headers.ORIGIN_PARTITION,
    headers.ORIGIN_OFFSET,
}


def dead_letter_headers(letter: DeadLetter) -> list[tuple[str, bytes]]:
    """The original's headers first, then the reason and the origin."""
    return [
        *(h for h in letter.headers if h[0] not in _OWN),
        (headers.FORMAT, FORMAT),
        (headers.REASON, letter.reason.encode()),
        (headers.DETAIL, letter.detail[:DETAIL_CHARACTERS_MAX].encode("utf-8", "replace")),
        (headers.ORIGIN_TOPIC, letter.topic.encode()),
        (headers.ORIGIN_TOPIC_ID, letter.topic_id.encode()),
        (headers.ORIGIN_PARTITION, b"%d" % letter.partition),
        (headers.ORIGIN_OFFSET, b"%d" % letter.offset),
    ]


def fitting(letter: DeadLetter) -> DeadLetter:
    """The letter as its topic takes it."""
    size = len(letter.value or b"") + len(letter.key or b"") + sum(len(name) + len(content) for name, content in letter.headers)
    return letter if size + _OWN_BYTES_MAX <= RECORD_BYTES_MAX else without_value(letter)


def without_value(letter: DeadLetter) -> DeadLetter:
    """The letter as it fits where the whole one is too large: without value and headers of its original."""
    size = len(letter.value or b"")
    said = f"{letter.detail[: DETAIL_CHARACTERS_MAX - 100]} (its value of {size} bytes and its headers are left out here)"
    return letter._replace(detail=said, key=None if letter.key is None else letter.key[:KEY_BYTES_MAX], value=None, headers=())


def decode_dead_letter(key: bytes | None, value: bytes | None, record_headers: list[tuple[str, bytes]]) -> DeadLetter:
    """Anything can be read as a dead letter: headers that are missing, or make no sense, give empty fields."""
    return DeadLetter(
        reason=headers.text(record_headers, headers.REASON) or "",
        detail=headers.text(record_headers, headers.DETAIL) or "",
        topic=headers.text(record_headers, headers.ORIGIN_TOPIC) or "",
        topic_id=headers.text(record_headers, headers.ORIGIN_TOPIC_ID) or "",
        partition=_number(record_headers, headers.ORIGIN_PARTITION),
        offset=_number(record_headers, headers.ORIGIN_OFFSET),
        key=key,
        value=value,
        headers=tuple(h for h in record_headers if h[0] not in _OWN),
    )


def _number(record_headers: list[tuple[str, bytes]], name: str) -> int:
    try:
        number = int(headers.text(record_headers, name) or -1)
    except ValueError:
        return -1
    return number if 0 <= number <= _OFFSET_MAX else -1


class Resolved(NamedTuple):
    """A mark on ``sfc.dead-letters``: what became of an earlier one. ``state``: replayed or discarded."""

    id: str
    state: str
    by: str = ""


def resolved_headers(mark: Resolved) -> list[tuple[str, bytes]]:
    """Headers of the mark's record, which has neither key nor value."""
    return [
        (headers.FORMAT, FORMAT),
        (headers.DEAD_LETTER, mark.id.encode()),
        (headers.RESOLVED, mark.state.encode()),
        (headers.BY, mark.by.encode()),
    ]


def decode_resolved(record_headers: list[tuple[str, bytes]]) -> Resolved | None:
    """None for a record that is a dead letter itself. Only SFC's own marks have no reason: the headers of a dead letter's original are
    the user's, and might look like one."""
    state = headers.text(record_headers, headers.RESOLVED)
    id_ = headers.text(record_headers, headers.DEAD_LETTER)
    if not state or not id_ or headers.find(record_headers, headers.REASON) is not None:
        return None
    return Resolved(id_, state, headers.text(record_headers, headers.BY) or "")
