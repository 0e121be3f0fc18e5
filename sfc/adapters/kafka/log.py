"""KafkaLog: the Log port on a Kafka cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from confluent_kafka import KafkaException

from sfc.adapters.kafka import properties as client
from sfc.adapters.kafka.admin import Admin
from sfc.adapters.kafka.consumer import KafkaConsumer
from sfc.adapters.kafka.producer import KafkaProducer
from sfc.adapters.kafka.reader import KafkaReader
from sfc.adapters.kafka.transaction import KafkaTransaction
from sfc.adapters.kafka.troubles import error_of
from sfc.errors import BadInput, TopicMissing
from sfc.ports import Consumer, GroupMember, Partition, Position, Producer, Reader, TopicInfo, TopicSpec, Transaction

T = TypeVar("T")


class KafkaLog:
    """See ``sfc.ports.Log``.

    ``properties`` are librdkafka's, ``bootstrap.servers`` at least; security settings pass through, what exactly-once rests on is
    not overridden. ``replication`` is for topics that SFC makes; -1 takes the broker's default. ``client_id`` names this process to the
    broker, unless the properties do. Nothing connects before the first question is asked. Raises BadInput for properties that librdkafka
    refuses.
    """

    def __init__(self, properties: Mapping[str, str], *, replication: int = -1, client_id: str = "") -> None:
        if not properties.get("bootstrap.servers"):
            raise BadInput("Kafka needs the property bootstrap.servers (host:port, several with commas between them), and it is not given.")
        self._properties = {**({"client.id": client_id} if client_id else {}), **properties}
        self._replication = replication
        self._lock = threading.Lock()
        self._admin: Admin | None = None
        self._narrow: set[str] = set()  # topics that have refused a batch for its size

    def __repr__(self) -> str:
        return f"KafkaLog({self._properties['bootstrap.servers']})"

    def cluster_id(self) -> str:
        return self._asked().cluster_id()

    def topics(self) -> dict[str, int]:
        return self._asked().topics()

    def describe(self, topic: str) -> TopicInfo | None:
        return self._asked().describe(topic)

    def create(self, topics: Sequence[TopicSpec]) -> None:
        self._asked().create(topics)

    def ends(self, partitions: Sequence[Partition], *, committed: bool = True) -> dict[Partition, int]:
        return self._asked().ends(partitions, committed=committed)

    def ask_end(self, partition: Partition) -> Callable[[], int | None]:
        return self._asked().ask_end(partition)

    def sync(self) -> None: ...

    def starts(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        return self._asked().starts(partitions)

    def offsets_at(self, partitions: Sequence[Partition], time_ms: int) -> dict[Partition, int]:
        return self._asked().offsets_at(partitions, time_ms)

    def group_positions(self, group: str) -> dict[Partition, Position]:
        return self._asked().group_positions(group)

    def group_members(self, group: str) -> list[GroupMember]:
        return self._asked().group_members(group)

    def set_group_positions(self, group: str, positions: Mapping[Partition, Position]) -> None:
        self._asked().set_group_positions(group, positions)

    def producer(self, *, gapless: bool = False, busy: bool = False) -> Producer:
        settings = client.producer(self._properties, gapless=gapless, busy=busy)
        return self._made(lambda: KafkaProducer(settings, limits=self._limit if gapless else None))

    def transaction(self, transactional_id: str) -> Transaction:
        settings = client.transaction(self._properties, transactional_id, self._narrowest())
        return self._made(lambda: KafkaTransaction(settings, transactional_id, too_large=self._narrow.add))

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
    ) -> Consumer:
        settings = client.consumer(self._properties, group, start_at)
        return self._made(lambda: KafkaConsumer(settings, topics, paused=paused, assigned=assigned, revoked=revoked, lost=lost))

    def reader(self, positions: Mapping[Partition, int], *, committed: bool = True) -> Reader:
        settings = client.reader(self._properties, committed=committed)
        return self._made(lambda: KafkaReader(settings, positions, self._start_and_end))

    def close(self) -> None:
        """Drops the admin client. What was handed out belongs to its threads and is closed by them."""
        with self._lock:
            self._admin = None

    def _asked(self) -> Admin:
        with self._lock:
            if self._admin is None:
                settings = client.admin(self._properties)
                self._admin = self._made(lambda: Admin(settings, self._replication))
            return self._admin

    def _limit(self, topic: str) -> int:
        """The largest record that a topic takes, in bytes."""
        found = self.describe(topic)
        if found is None:
            raise TopicMissing(f"There is no topic {topic} on {self._properties['bootstrap.servers']}.")
        return int(found.config["max.message.bytes"])

    def _narrowest(self) -> int:
        """The largest batch that all topics take, in bytes, as far as one has refused any; else 0. The client makes batches of up to 1 MB
        for whatever topic, and Kafka refuses one that is over the topic's limit, though each of its records would fit."""
        found = [self.describe(topic) for topic in sorted(self._narrow)]
        return min((int(info.config["max.message.bytes"]) for info in found if info is not None), default=0)

    def _start_and_end(self, partition: Partition) -> tuple[int, int]:
        return self.starts([partition])[partition], self.ends([partition], committed=False)[partition]

    def _made(self, make: Callable[[], T]) -> T:
        try:
            return make()
        except KafkaException as e:
            raise BadInput(f"Kafka's client refuses its properties: {client.scrubbed(error_of(e).str(), self._properties)}") from e
