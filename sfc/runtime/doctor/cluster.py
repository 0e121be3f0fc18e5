"""What a doctor asks of a Kafka cluster besides the Log port. Adapter: ``sfc.adapters.kafka.cluster``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class Broker(NamedTuple):
    """``config``: its settings by Kafka's names; empty where this client may not ask (``trouble`` says so)."""

    id: int
    config: Mapping[str, str]
    trouble: str = ""


class TopicHealth(NamedTuple):
    """``replicas`` and ``in_sync``: of the partition that has the fewest. ``leaderless``: partitions without a leader. ``operations``: what
    this client may do with it, by Kafka's names (READ, WRITE, …); None where the broker does not say."""

    replicas: int
    in_sync: int
    leaderless: int
    operations: frozenset[str] | None


class Cluster(Protocol):
    """Every call raises LogUnavailable when no broker answers."""

    def brokers(self) -> list[Broker]: ...

    def operations(self) -> frozenset[str] | None:
        """What this client may do with the cluster; None where the broker does not say."""

    def topics(self, names: Sequence[str]) -> dict[str, TopicHealth]:
        """Those that there are."""
