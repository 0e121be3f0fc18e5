"""The embedded log behind ``sfc.ports.Log``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from sfc.adapters.embedded.broker import Broker
from sfc.adapters.embedded.consumers import EmbeddedConsumer, EmbeddedReader
from sfc.adapters.embedded.producers import EmbeddedProducer, EmbeddedTransaction
from sfc.adapters.embedded.sqlite import SqliteStorage
from sfc.adapters.embedded.storage import MemoryStorage, Storage
from sfc.errors import TopicMissing
from sfc.ports import Clock, GroupMember, Partition, Position, TopicInfo, TopicSpec


class EmbeddedLog:
    """``sfc.ports.Log`` within one process. ``clock`` gives the records' times (default: the system's); waiting is always real.

    ``max_poll_s``: a member of a consumer group that has not called ``take`` for so long is put out of it. ``client_id``: its name there.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        clock: Clock | None = None,
        max_poll_s: float = 300.0,
        client_id: str = "sfc",
        new_id: Callable[[], str] | None = None,
    ) -> None:
        self._broker = Broker(storage, clock, max_poll_s=max_poll_s, new_id=new_id)
        self._client_id = client_id

    @classmethod
    def memory(
        cls,
        *,
        clock: Clock | None = None,
        max_poll_s: float = 300.0,
        client_id: str = "sfc",
        new_id: Callable[[], str] | None = None,
    ) -> EmbeddedLog:
        """A log that ends with the process. ``new_id`` makes the ids of cluster and topics (default: by chance)."""
        id = new_id() if new_id else str(uuid4())
        return cls(MemoryStorage(id), clock=clock, max_poll_s=max_poll_s, client_id=client_id, new_id=new_id)

    @classmethod
    def open(cls, folder: Path, *, clock: Clock | None = None, max_poll_s: float = 300.0, client_id: str = "sfc") -> EmbeddedLog:
        """The log in a folder, which is made when missing. Raises LogInUse when another process has it open."""
        return cls(SqliteStorage(folder), clock=clock, max_poll_s=max_poll_s, client_id=client_id)

    def cluster_id(self) -> str:
        return self._broker.cluster_id

    def topics(self) -> dict[str, int]:
        return self._broker.topics()

    def describe(self, topic: str) -> TopicInfo | None:
        found = self._broker.topic(topic)
        return found.info() if found else None

    def create(self, topics: Sequence[TopicSpec]) -> None:
        self._broker.create(topics)

    def ends(self, partitions: Sequence[Partition], *, committed: bool = True) -> dict[Partition, int]:
        with self._broker.lock:
            logs = [self._broker.partition(at) for at in partitions]
            return {log.at: log.stable if committed else log.end for log in logs}

    def ask_end(self, partition: Partition) -> Callable[[], int | None]:
        with suppress(TopicMissing):
            end = self.ends([partition], committed=False)[partition]
            return lambda: end
        return lambda: None

    def sync(self) -> None:
        self._broker.flush()

    def starts(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        with self._broker.lock:
            return {at: self._broker.partition(at).start for at in partitions}

    def offsets_at(self, partitions: Sequence[Partition], time_ms: int) -> dict[Partition, int]:
        found = {}
        with self._broker.lock:
            for at in partitions:
                log = self._broker.partition(at)
                first = log.first_at(time_ms)
                found[at] = log.stable if first is None else min(first, log.stable)
        return found

    def group_positions(self, group: str) -> dict[Partition, Position]:
        return self._broker.positions(group)

    def group_members(self, group: str) -> list[GroupMember]:
        return self._broker.members(group)

    def set_group_positions(self, group: str, positions: Mapping[Partition, Position]) -> None:
        self._broker.set_positions(group, positions)

    def producer(self, *, gapless: bool = False, busy: bool = False) -> EmbeddedProducer:
        """``busy`` makes no difference here: nothing travels."""
        return EmbeddedProducer(self._broker, gapless=gapless)

    def transaction(self, transactional_id: str) -> EmbeddedTransaction:
        return EmbeddedTransaction(self._broker, transactional_id)

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        *,
        start_at: str = "earliest",
        paused: bool = False,
        assigned: Callable[[list[Partition]], None] | None = None,
        revoked: Callable[[list[Partition]], None] | None = None,
        lost: Callable[[list[Partition]], None] | None = None,
    ) -> EmbeddedConsumer:
        return EmbeddedConsumer(
            self._broker,
            group,
            topics,
            start_at=start_at,
            paused=paused,
            assigned=assigned,
            revoked=revoked,
            lost=lost,
            client_id=self._client_id,
        )

    def reader(self, positions: Mapping[Partition, int], *, committed: bool = True) -> EmbeddedReader:
        return EmbeddedReader(self._broker, positions, committed=committed)

    def delete(self, topic: str) -> None:
        """Deletes a topic; made again it has another id. Raises TopicMissing, and LogError for a log on disk."""
        self._broker.delete(topic)

    def compact(self) -> None:
        """Compacts the compacted topics now; by itself the log does so when there is enough to gain."""
        self._broker.compact()

    def close(self) -> None:
        self._broker.close()
