"""What all roles of a process share: the log with SFC's topics, the names, the settings."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from pathlib import Path

from sfc.adapters.clock import SystemClock
from sfc.errors import BadInput
from sfc.ports import Clock, Log, TopicSpec
from sfc.runtime.attempts import Attempts
from sfc.runtime.definitions import Definitions
from sfc.runtime.topics import ensure_topics
from sfc.settings import Settings, instance_name
from sfc.wire.topics import Names, core_topics


def open_log(settings: Settings, *, memory: bool = False, client_id: str = "sfc") -> Log:
    """Kafka where it is named, else the embedded log under the data directory, or in memory. ``client_id``: who is shown in its groups."""
    if settings.kafka:
        from sfc.adapters.kafka import KafkaLog

        return KafkaLog(settings.kafka_properties(), replication=settings.replication, client_id=client_id)
    from sfc.adapters.embedded import EmbeddedLog

    return EmbeddedLog.memory(client_id=client_id) if memory else EmbeddedLog.open(settings.data / "log", client_id=client_id)


@dataclass
class Site:
    """What all roles of a process share."""

    settings: Settings
    log: Log
    names: Names
    shards: int
    instance: str
    clock: Clock = field(default_factory=SystemClock)
    attempts: Attempts = field(default_factory=lambda: Attempts(uuid.uuid4().hex))

    def definitions(self) -> Definitions:
        return Definitions(self.log, self.names)

    def topic_specs(self) -> list[TopicSpec]:
        """SFC's own topics, as they must be."""
        return [TopicSpec(name, partitions, config) for name, (partitions, config) in core_topics(self.names, self.shards).items()]


def open_site(settings: Settings, *, memory: bool = False) -> Site:
    """The log with SFC's topics made and checked. Raises LogUnavailable, TopicMissing, TopicMismatch."""
    if not settings.kafka and not memory:
        settings.data.mkdir(parents=True, exist_ok=True)
    instance = instance_name(settings)
    log = open_log(settings, memory=memory, client_id=instance)
    names = Names(settings.namespace)
    shards = shards_of(log, names, settings)
    site = Site(settings, log, names, shards, instance)
    ensure_topics(log, site.topic_specs(), create=settings.create_topics, bootstrap=settings.kafka)
    return site


def shards_of(log: Log, names: Names, settings: Settings) -> int:
    """The recorded shard count; before it is recorded, that of the command topic; before that, the setting."""
    topics = log.topics()
    if names.definitions in topics:
        definitions = Definitions(log, names)
        definitions.load()
        definitions.close()
        if definitions.settings is not None:
            return definitions.settings.shards
    return topics.get(names.commands, settings.shards)


def require_kafka(settings: Settings, role: str) -> None:
    """A role of its own needs a log that processes share."""
    if not settings.kafka:
        raise BadInput(
            f"`sfc {role}` needs Kafka, and none is named: the embedded log belongs to one process",
            hint="name it with --kafka HOST:PORT or SFC_KAFKA; on a laptop `sfc dev` runs all roles in one process",
        )


def blueprints_folder() -> Path:
    """The example blueprints: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    packed = package / "_blueprints"
    return packed if packed.is_dir() else package.parent / "blueprints"
