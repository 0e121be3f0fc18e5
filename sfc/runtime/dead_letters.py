"""What becomes of dead letters: replayed to where they came from, or discarded. Both are marks on ``sfc.dead-letters``, so that an index
that is made again from the log knows them.

A replayed record and its mark are one transaction: a gateway that dies leaves both or neither. But for ``sfc.commands``: an open
transaction there would hold the engine up (EXACTLY-ONCE 29), so its record goes first and the mark behind it; a command that is replayed
twice for that is dropped by its token, or is a dead letter again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from sfc.errors import NotPossible
from sfc.ports import DeadLetterDocument, Log, Partition, Transaction
from sfc.wire import headers
from sfc.wire.dead_letters import Resolved, resolved_headers
from sfc.wire.partition import partition_of
from sfc.wire.topics import Names

_REMEMBERED = 10_000  # resolved here, while the index may not know it yet
_LEFT_OUT = {headers.SOURCE, headers.MARK, headers.REPLAYED}  # a command that is replayed is a new one


class DeadLetterOffice:
    """May be shared between threads. ``instance``: no other's, since its transactional id is made of it."""

    def __init__(self, log: Log, names: Names, instance: str) -> None:
        self._log = log
        self._names = names
        self._id = f"{names.namespace}-dead-letters-{instance}"
        self._lock = threading.Lock()
        self._transaction: Transaction | None = None
        self._resolved: OrderedDict[str, str] = OrderedDict()

    def replay(self, letter: DeadLetterDocument, by: str = "", value: bytes | None = None) -> str:
        """Appends the record to the topic that it came from, with ``value`` instead of its own where that is given. Returns the topic.

        Everybody who reads that topic sees it as a new record. Raises NotPossible when it is not open, its topic is not there, or the
        record is gone from it.
        """
        self._check_open(letter)
        known = self._log.topics().get(letter.topic)
        if known is None:
            raise NotPossible(f"dead letter {letter.id} came from topic {letter.topic or '(unknown)'}, which is not there")
        key, given, head = letter.key, letter.value, letter.headers
        if given is None and not head and value is None:  # of a start that was refused only its place is kept
            key, given, head = self._original(letter)
        sent = [*(h for h in head if h[0] not in _LEFT_OUT), (headers.REPLAYED, letter.id.encode())]
        wanted = given if value is None else value
        with self._lock:
            self._check_open(letter)  # again: of two who ask at once, one has been quicker
            mark = self._mark(letter.id, "replayed", by)
            if letter.topic == self._names.commands:
                self._append(letter.topic, wanted, key, sent, None if key is None else partition_of(key, known))
                self._write([mark])
            else:
                self._write([(letter.topic, wanted, key, sent, None), mark])
            self._remember(letter.id, "replayed")
        return letter.topic

    def discard(self, letter: DeadLetterDocument, by: str = "") -> None:
        """Takes it off the list of what is open; the record stays where it is. Raises NotPossible when it is not open."""
        with self._lock:
            self._check_open(letter)
            self._write([self._mark(letter.id, "discarded", by)])
            self._remember(letter.id, "discarded")

    def close(self) -> None:
        with self._lock:
            if self._transaction is not None:
                self._transaction.close()
                self._transaction = None

    def _check_open(self, letter: DeadLetterDocument) -> None:
        state = self._resolved.get(letter.id, letter.state)
        if state != "open":
            raise NotPossible(f"dead letter {letter.id} is {state} already")

    def _remember(self, id_: str, state: str) -> None:
        self._resolved[id_] = state
        if len(self._resolved) > _REMEMBERED:
            self._resolved.popitem(last=False)

    def _mark(self, id_: str, state: str, by: str) -> _Sent:
        return self._names.dead_letters, None, None, resolved_headers(Resolved(id_, state, by)), 0

    def _append(self, topic: str, value: bytes | None, key: bytes | None, head: list[tuple[str, bytes]], partition: int | None) -> None:
        """Outside of any transaction; returns when the log has it."""
        producer = self._log.producer()
        try:
            producer.send(topic, value, key, head, partition)
            producer.flush()
        finally:
            producer.close()

    def _write(self, records: Sequence[_Sent]) -> None:
        if self._transaction is None:
            self._transaction = self._log.transaction(self._id)
        try:
            self._transaction.begin()
            for topic, value, key, head, partition in records:
                self._transaction.send(topic, value, key, head, partition)
            self._transaction.commit()
        except BaseException:
            self._transaction.close()  # the next one takes the id anew, which ends what is open
            self._transaction = None
            raise

    def _original(self, letter: DeadLetterDocument) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]:
        """Key, value and headers of the record as it stands in its topic."""
        at = Partition(letter.topic, letter.partition)
        gone = NotPossible(
            f"the record {letter.topic}-{letter.partition}@{letter.offset} of dead letter {letter.id} is not in its topic any more",
            hint="give its value: it is replayed with that",
        )
        if not 0 <= letter.partition < self._log.topics()[letter.topic]:
            raise gone
        if not self._log.starts([at])[at] <= letter.offset < self._log.ends([at])[at]:
            raise gone
        reader = self._log.reader({at: letter.offset})
        try:
            records = reader.take(1, 5.0)
        finally:
            reader.close()
        if not records or records[0].offset != letter.offset:
            raise gone
        return records[0].key, records[0].value, list(records[0].headers)


_Sent = tuple[str, bytes | None, bytes | None, list[tuple[str, bytes]], int | None]
