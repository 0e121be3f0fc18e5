"""Questions to the cluster, and the topics that SFC makes. Every call ends within 10 s; nothing is kept."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from confluent_kafka import (
    OFFSET_INVALID,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType  # type: ignore[attr-defined]

from sfc.adapters.kafka.properties import REQUEST_TIMEOUT_S
from sfc.adapters.kafka.records import from_kafka, to_kafka
from sfc.adapters.kafka.troubles import Troubles, error_of, logger
from sfc.errors import LogError, LogUnavailable, TopicMissing
from sfc.ports import GroupMember, Partition, Position, TopicInfo, TopicSpec

_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}").fullmatch  # of a topic
_PAUSE_S = 0.03
_GRACE_S = 1.0
_ASK_S = 1.0  # then whom to ask is looked up again: the client goes on asking a broker that has died. Doubled each time
_ASK_MAX_S = 2.0
_LEARN_S = 1.0
_NO_TOPIC = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION, KafkaError._NOENT)
# A cluster that is electing or loading says so; it is asked again.
_AGAIN = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_CONTROLLER,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.REQUEST_TIMED_OUT,
    }
)
_SILENT = frozenset({KafkaError._TIMED_OUT, KafkaError._TIMED_OUT_QUEUE, KafkaError._TRANSPORT})


class Admin:
    """One admin client, for any thread. ``replication`` is for new topics; -1 takes the broker's default."""

    def __init__(self, properties: Mapping[str, Any], replication: int) -> None:
        self._troubles = Troubles(properties, "admin client")
        self._replication = replication
        with_callback: dict[str, Any] = {**properties, "error_cb": self._troubles}
        self._client = AdminClient(with_callback, logger=logger)

    def cluster_id(self) -> str:
        return str(self._one(lambda left: self._client.describe_cluster(request_timeout=left), "asking for the cluster's id").cluster_id)

    def topics(self) -> dict[str, int]:
        found = self._metadata("asking for its topics")
        return {name: len(topic.partitions) for name, topic in found.items() if not name.startswith("__")}

    def describe(self, topic: str) -> TopicInfo | None:
        if not _NAME(topic) or topic in (".", ".."):
            return None  # the client and the brokers refuse to be asked for such a name
        doing = f"describing the topic {topic}"
        try:
            found = self._one(lambda left: self._client.describe_topics(TopicCollection([topic]), request_timeout=left)[topic], doing)
            resource = ConfigResource(ResourceType.TOPIC, topic)
            config = self._one(lambda left: self._client.describe_configs([resource], request_timeout=left)[resource], doing)
        except TopicMissing:
            return None
        settings = {name: entry.value for name, entry in config.items() if entry.value is not None}
        return TopicInfo(topic, str(found.topic_id), len(found.partitions), settings)

    def create(self, topics: Sequence[TopicSpec]) -> None:
        if not topics:
            return
        wanted = [NewTopic(t.name, t.partitions, self._replication, config=dict(t.config)) for t in topics]
        deadline = time.monotonic() + REQUEST_TIMEOUT_S
        made = self._client.create_topics(wanted, request_timeout=REQUEST_TIMEOUT_S, operation_timeout=REQUEST_TIMEOUT_S - 1)
        for name, future in made.items():
            try:
                self._result(future, deadline, f"making the topic {name}")
            except KafkaException as e:
                if error_of(e).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise self._troubles.translated(e, f"making the topic {name}") from e
        names = {t.name for t in topics}
        while not self._led(names):
            if time.monotonic() > deadline:
                raise LogError(f"The topics {', '.join(sorted(names))} were made, but not all of their partitions have a leader yet.")
            time.sleep(_PAUSE_S)

    def ends(self, partitions: Sequence[Partition], *, committed: bool) -> dict[Partition, int]:
        return self._offsets(partitions, _LATEST, committed=committed)

    def ask_end(self, partition: Partition) -> Callable[[], int | None]:
        asked = {TopicPartition(partition.topic, partition.number): _LATEST}
        isolation = IsolationLevel.READ_UNCOMMITTED
        (future,) = self._client.list_offsets(asked, isolation_level=isolation, request_timeout=REQUEST_TIMEOUT_S).values()

        def told() -> int | None:
            if not future.done() or future.exception() is not None:
                return None
            offset = int(future.result().offset)
            return None if offset == OFFSET_INVALID else offset

        return told

    def starts(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        return self._offsets(partitions, _EARLIEST, committed=False)

    def offsets_at(self, partitions: Sequence[Partition], time_ms: int) -> dict[Partition, int]:
        found = self._offsets(partitions, OffsetSpec.for_timestamp(time_ms), committed=False)
        later = [p for p, offset in found.items() if offset < 0]
        return {**found, **(self.ends(later, committed=False) if later else {})}

    def group_positions(self, group: str) -> dict[Partition, Position]:
        def ask(left: float) -> Future[Any]:
            return self._client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=left)[group]

        try:
            found = self._asked(ask, f"asking for the offsets of consumer group {group}")
        except KafkaException as e:
            if error_of(e).code() == KafkaError.GROUP_ID_NOT_FOUND:
                return {}
            raise self._troubles.translated(e, f"asking for the offsets of consumer group {group}") from e
        return {from_kafka(p): Position(p.offset, p.metadata or "") for p in found.topic_partitions if p.offset >= 0}

    def group_members(self, group: str) -> list[GroupMember]:
        def ask(left: float) -> Future[Any]:
            return self._client.describe_consumer_groups([group], request_timeout=left)[group]

        doing = f"asking for the members of consumer group {group}"
        try:
            found = self._asked(ask, doing)
        except KafkaException as e:
            if error_of(e).code() == KafkaError.GROUP_ID_NOT_FOUND:
                return []
            raise self._troubles.translated(e, doing) from e
        return sorted(
            GroupMember(m.client_id, m.host.lstrip("/"), tuple(sorted(from_kafka(p) for p in m.assignment.topic_partitions)))
            for m in found.members
        )

    def set_group_positions(self, group: str, positions: Mapping[Partition, Position]) -> None:
        if not positions:
            return
        doing = f"setting the offsets of consumer group {group} (it may have no members meanwhile)"
        wanted = ConsumerGroupTopicPartitions(group, [to_kafka(partition, position) for partition, position in positions.items()])
        done = self._one(lambda left: self._client.alter_consumer_group_offsets([wanted], request_timeout=left)[group], doing)
        for one in done.topic_partitions:
            if one.error is not None:
                raise self._troubles.translated(KafkaException(one.error), doing)

    def _offsets(self, partitions: Sequence[Partition], spec: OffsetSpec, *, committed: bool) -> dict[Partition, int]:
        isolation = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        left_over = list(dict.fromkeys(partitions))
        found: dict[Partition, int] = {}
        deadline = time.monotonic() + REQUEST_TIMEOUT_S
        patience = _ASK_S
        while left_over:
            left = min(patience, max(_PAUSE_S, deadline - time.monotonic()))
            asked = self._client.list_offsets(
                {TopicPartition(p.topic, p.number): spec for p in left_over}, isolation_level=isolation, request_timeout=left
            )
            left_over = []
            silent = False
            for place, future in asked.items():
                doing = f"asking for offsets of {place.topic}/{place.partition}"
                try:
                    offset = self._result(future, deadline, doing).offset
                except KafkaException as e:
                    again = error_of(e).code() in _SILENT or self._again(error_of(e), from_kafka(place))
                    if not again or time.monotonic() > deadline:
                        raise self._refusal(e, doing) from e
                    silent = silent or error_of(e).code() in _SILENT
                    left_over.append(from_kafka(place))
                    continue
                if offset != OFFSET_INVALID:
                    found[from_kafka(place)] = offset
                elif time.monotonic() > deadline:
                    raise self._troubles.unavailable(doing)
                else:  # what the client answers, without an error, for a leader that did not
                    silent = True
                    left_over.append(from_kafka(place))
            if silent:
                self._learn()
                patience = min(2 * patience, _ASK_MAX_S)
            if left_over:
                time.sleep(_PAUSE_S)
        return found

    def _again(self, error: KafkaError, partition: Partition) -> bool:
        """Whether asking anew may help. "No leaders found" is said of a partition without leader, and of one that doesn't exist."""
        if error.code() == KafkaError._NOENT:
            return partition.number < self.topics().get(partition.topic, 0)
        return error.code() in _AGAIN

    def _metadata(self, doing: str) -> dict[str, Any]:
        try:
            return dict(self._client.list_topics(timeout=REQUEST_TIMEOUT_S).topics)
        except KafkaException as e:
            raise self._refusal(e, doing) from e

    def _led(self, names: set[str]) -> bool:
        found = self._metadata("asking for its topics")
        return all(
            name in found and found[name].partitions and all(p.leader >= 0 for p in found[name].partitions.values()) for name in names
        )

    def _one(self, ask: Callable[[float], Future[Any]], doing: str) -> Any:
        try:
            return self._asked(ask, doing)
        except KafkaException as e:
            raise self._refusal(e, doing) from e

    def _asked(self, ask: Callable[[float], Future[Any]], doing: str) -> Any:
        deadline = time.monotonic() + REQUEST_TIMEOUT_S
        patience = _ASK_S
        while True:
            try:
                return self._result(ask(min(patience, max(_PAUSE_S, deadline - time.monotonic()))), deadline, doing)
            except KafkaException as e:
                code = error_of(e).code()
                if code not in _AGAIN | _SILENT or time.monotonic() > deadline:
                    raise
                if code in _SILENT:
                    self._learn()
                    patience = min(2 * patience, _ASK_MAX_S)
                time.sleep(_PAUSE_S)

    def _learn(self) -> None:
        """Any broker that answers says who is there, and who answers for the cluster."""
        with contextlib.suppress(KafkaException):
            self._client.list_topics(timeout=_LEARN_S)

    def _result(self, future: Future[Any], deadline: float, doing: str) -> Any:
        try:
            return future.result(max(0.0, deadline - time.monotonic()) + _GRACE_S)
        except FutureTimeout as e:
            self._client.poll(0)  # tells why
            raise self._troubles.unavailable(doing) from e

    def _refusal(self, exception: KafkaException, doing: str) -> LogError | LogUnavailable:
        if error_of(exception).code() in _NO_TOPIC:
            return TopicMissing(f"Kafka at {self._troubles.servers} knows no such topic or partition ({doing}).")
        self._client.poll(0)  # tells why
        return self._troubles.translated(exception, doing)
