"""What `sfc doctor` asks of a Kafka cluster: the brokers' settings, replicas, and what this client may do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

from sfc.adapters.kafka import properties as client
from sfc.adapters.kafka.properties import REQUEST_TIMEOUT_S
from sfc.adapters.kafka.troubles import Troubles, error_of, logger
from sfc.errors import LogUnavailable
from sfc.runtime.doctor import Broker, TopicHealth

_GRACE_S = 1.0


class KafkaCluster:
    """See ``sfc.runtime.doctor.Cluster``. ``properties`` as for KafkaLog."""

    def __init__(self, properties: Mapping[str, str]) -> None:
        settings = client.admin(properties)
        self._troubles = Troubles(settings, "admin client")
        with_callback: dict[str, Any] = {**settings, "error_cb": self._troubles}
        self._client = AdminClient(with_callback, logger=logger)

    def brokers(self) -> list[Broker]:
        found = self._one(lambda: self._client.describe_cluster(request_timeout=REQUEST_TIMEOUT_S), "asking for its brokers")
        return [self._broker(int(node.id)) for node in sorted(found.nodes, key=lambda node: node.id)]

    def _broker(self, number: int) -> Broker:
        resource = ConfigResource(ResourceType.BROKER, str(number))
        doing = f"asking for the settings of broker {number}"
        try:
            asked = self._client.describe_configs([resource], request_timeout=REQUEST_TIMEOUT_S)
            config = self._result(asked[resource], doing)
        except KafkaException as e:
            translated = self._troubles.translated(e, doing)
            if isinstance(translated, LogUnavailable):
                raise translated from e
            return Broker(number, {}, self._troubles.say(error_of(e)))
        return Broker(number, {name: entry.value for name, entry in config.items() if entry.value is not None})

    def operations(self) -> frozenset[str] | None:
        found = self._one(
            lambda: self._client.describe_cluster(include_authorized_operations=True, request_timeout=REQUEST_TIMEOUT_S),
            "asking what this client may do",
        )
        return _names(found.authorized_operations)

    def topics(self, names: Sequence[str]) -> dict[str, TopicHealth]:
        if not names:
            return {}
        asked = self._client.describe_topics(
            TopicCollection(list(names)), include_authorized_operations=True, request_timeout=REQUEST_TIMEOUT_S
        )
        found = {}
        for name, future in asked.items():
            topic = self._one(lambda future=future: future, f"describing the topic {name}")  # type: ignore[misc]
            found[name] = TopicHealth(
                min(len(p.replicas) for p in topic.partitions),
                min(len(p.isr) for p in topic.partitions),
                sum(p.leader is None or p.leader.id < 0 for p in topic.partitions),
                _names(topic.authorized_operations),
            )
        return found

    def _one(self, ask: Callable[[], Future[Any]], doing: str) -> Any:
        try:
            return self._result(ask(), doing)
        except KafkaException as e:
            raise self._troubles.translated(e, doing) from e

    def _result(self, future: Future[Any], doing: str) -> Any:
        try:
            return future.result(REQUEST_TIMEOUT_S + _GRACE_S)
        except FutureTimeout as e:
            self._client.poll(0)  # tells why
            raise self._troubles.unavailable(doing) from e


def _names(operations: Any) -> frozenset[str] | None:
    """Brokers without an authorizer name all that apply, old ones none."""
    return frozenset(operation.name for operation in operations) if operations else None
