"""What the log holds, read as it grows by somebody who is no part of the world that is watched."""

from __future__ import annotations

from collections.abc import Iterable

from sfc.adapters.embedded import EmbeddedLog
from sfc.adapters.embedded.consumers import EmbeddedReader
from sfc.adapters.embedded.storage import MemoryStorage, Row
from sfc.ports import Partition, Record

EVERYTHING = 1_000_000


class CountingStorage(MemoryStorage):
    """Knows whether anything was appended: who looks for news need not look at every partition."""

    appended = 0

    def append(self, part: int, row: Row) -> None:
        self.appended += 1


class Tail:
    """Committed records of some topics, each once. ``renew`` after one of them was made again."""

    def __init__(self, log: EmbeddedLog, topics: Iterable[str]) -> None:
        self._log = log
        self.topics = tuple(topics)
        self._reader = self._open({})

    def _open(self, positions: dict[Partition, int]) -> EmbeddedReader:
        there = self._log.topics()
        found = {Partition(topic, n): 0 for topic in self.topics if topic in there for n in range(there[topic])}
        return self._log.reader({**found, **positions})

    def new(self) -> list[Record]:
        return self._reader.take(EVERYTHING, 0)

    def held(self) -> bool:
        """Whether an open transaction hides something."""
        there = self._log.topics()
        found = [Partition(name, n) for name in self.topics if name in there for n in range(there[name])]
        return self._log.ends(found) != self._log.ends(found, committed=False)

    def renew(self, topic: str) -> None:
        """Begins anew with one topic; call ``new`` before it is deleted."""
        there = self._log.topics()
        kept = {
            p: self._reader.position(p)
            for name in self.topics
            if name != topic and name in there
            for p in (Partition(name, n) for n in range(there[name]))
        }
        self._reader.close()
        self._reader = self._open(kept)
