"""What the broker needs of a disk, and the storage that has none.

The broker calls everything but ``write`` and ``close`` while it holds its lock. Changes are collected and handed to the disk
together by ``write``, in one step: after a crash the log is as it was at the end of some ``write``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from sfc.ports import Headers, Partition, Position

MARKER = -1  # in place of a transaction number: the record is the end of a transaction, and nobody's to read


class Row(NamedTuple):
    """A stored record. ``tx`` is the number of its transaction, 0 for none, MARKER for a transaction's end."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
    tx: int


class StoredPartition(NamedTuple):
    """``part`` numbers the partitions of all topics; ``end`` is the next offset; ``rows`` how many records there are."""

    part: int
    start: int
    end: int
    rows: int


class StoredTopic(NamedTuple):
    """A topic with its own settings (without Kafka's defaults)."""

    name: str
    id: str
    config: Mapping[str, str]
    partitions: Sequence[StoredPartition]


class Contents(NamedTuple):
    """What a storage held when it was opened. ``boot`` is new at each opening."""

    cluster_id: str
    boot: int
    topics: Sequence[StoredTopic]
    positions: Mapping[tuple[str, Partition], Position]  # by consumer group
    epochs: Mapping[str, int]  # by transactional id
    aborted: set[int]  # transaction numbers
    open: Mapping[int, Sequence[Partition]]  # transactions that a crash left open, with what they wrote to


class Storage(Protocol):
    """Keeps a log."""

    durable: bool  # whether records can be read back from here, so that memory need only hold the newest

    def load(self) -> Contents: ...

    def topic(self, topic: StoredTopic) -> None: ...

    def append(self, part: int, row: Row) -> None: ...

    def start(self, part: int, offset: int) -> None:
        """Forgets the records before ``offset``."""

    def delete(self, part: int, offsets: Sequence[int]) -> None: ...

    def position(self, group: str, partition: Partition, position: Position) -> None: ...

    def epoch(self, transactional_id: str, epoch: int) -> None: ...

    def transaction(self, tx: int, partitions: Sequence[Partition] | None, *, aborted: bool = False) -> None:
        """An open transaction and what it wrote to so far, an aborted one, or (None) one that needs no remembering."""

    def read(self, part: int, first: int, before: int, count: int) -> list[Row]:
        """Written records with ``first <= offset < before``, in order of offset."""

    def first_at(self, part: int, time_ms: int) -> int | None:
        """First written offset with a timestamp at or after ``time_ms``."""

    def collect(self) -> dict[int, int]:
        """Closes the changes collected so far for the next ``write``; the partitions in them, with the next offset of each."""

    def write(self) -> None:
        """Writes what ``collect`` closed. Raises LogError when the disk refuses; the storage is spent then."""

    def close(self) -> None: ...


class MemoryStorage:
    """Keeps nothing: the broker's own memory is all there is."""

    durable = False

    def __init__(self, cluster_id: str) -> None:
        self._cluster_id = cluster_id

    def load(self) -> Contents:
        return Contents(self._cluster_id, 1, [], {}, {}, set(), {})

    def topic(self, topic: StoredTopic) -> None: ...

    def append(self, part: int, row: Row) -> None: ...

    def start(self, part: int, offset: int) -> None: ...

    def delete(self, part: int, offsets: Sequence[int]) -> None: ...

    def position(self, group: str, partition: Partition, position: Position) -> None: ...

    def epoch(self, transactional_id: str, epoch: int) -> None: ...

    def transaction(self, tx: int, partitions: Sequence[Partition] | None, *, aborted: bool = False) -> None: ...

    def read(self, part: int, first: int, before: int, count: int) -> list[Row]:
        return []

    def first_at(self, part: int, time_ms: int) -> int | None:
        return None

    def collect(self) -> dict[int, int]:
        return {}

    def write(self) -> None: ...

    def close(self) -> None: ...
