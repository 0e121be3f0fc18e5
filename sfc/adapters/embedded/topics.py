"""Topics of the embedded log: their settings with Kafka's defaults, and their partitions."""

from __future__ import annotations

from collections.abc import Mapping

from sfc.adapters.embedded.partition import PartitionLog
from sfc.adapters.embedded.storage import Storage, StoredTopic
from sfc.ports import Partition, TopicInfo

DEFAULTS: Mapping[str, str] = {
    "cleanup.policy": "delete",
    "retention.ms": str(7 * 86_400_000),
    "delete.retention.ms": str(86_400_000),
    "max.message.bytes": "1048588",
    "message.timestamp.type": "CreateTime",
    "min.insync.replicas": "1",
    "unclean.leader.election.enable": "false",
}


class Topic:
    """A topic as it is."""

    def __init__(self, stored: StoredTopic, storage: Storage) -> None:
        self.name = stored.name
        self.id = stored.id
        self.config = {**DEFAULTS, **stored.config}
        policies = self.config["cleanup.policy"].replace(" ", "").split(",")
        self.compacted = "compact" in policies
        self.bytes_max = int(self.config["max.message.bytes"])
        self.tombstone_ms = int(self.config["delete.retention.ms"])
        retention_ms = int(self.config["retention.ms"])
        self.retention_ms = retention_ms if "delete" in policies and retention_ms >= 0 else None
        append_time = self.config["message.timestamp.type"] == "LogAppendTime"
        self.partitions = [
            PartitionLog(Partition(stored.name, number), p.part, storage, append_time=append_time, start=p.start, end=p.end)
            for number, p in enumerate(stored.partitions)
        ]
        for log, p in zip(self.partitions, stored.partitions, strict=True):
            log.dirty = p.rows
        self._turn = 0

    def info(self) -> TopicInfo:
        return TopicInfo(self.name, self.id, len(self.partitions), dict(self.config))

    def next_partition(self) -> int:
        """Where the next record without a key goes."""
        self._turn = (self._turn + 1) % len(self.partitions)
        return self._turn
