"""What `sfc doctor` and `sfc topics create` need beside the log."""

from __future__ import annotations

from sfc.bootstrap.site import shards_of
from sfc.errors import BadInput, TopicMissing
from sfc.ports import Log, TopicSpec
from sfc.runtime.definitions import Definitions
from sfc.runtime.doctor import Cluster
from sfc.runtime.topics import own_topics
from sfc.settings import Settings
from sfc.wire.topics import Names


def open_cluster(settings: Settings) -> Cluster | None:
    """None beside the embedded log."""
    if not settings.kafka:
        return None
    from sfc.adapters.kafka.cluster import KafkaCluster

    return KafkaCluster(settings.kafka_properties())


def require_shard(log: Log, names: Names, settings: Settings, shard: int) -> None:
    """Raises BadInput for a shard that there is not, TopicMissing where nothing of this namespace is there."""
    if names.commands not in log.topics():
        raise TopicMissing(f"there is no topic {names.commands}", hint="SFC_NAMESPACE, SFC_KAFKA and SFC_DATA say where to look")
    if shard >= (shards := shards_of(log, names, settings)):
        raise BadInput(f"shard {shard}: expected {f'0-{shards - 1}' if shards > 1 else '0'}", hint="the engine's log names the shard")


def topics_of(log: Log | None, settings: Settings) -> list[TopicSpec]:
    """SFC's topics as they must be, those of the jobs of what is deployed among them. ``log``: None where nobody is asked."""
    names = Names(settings.namespace)
    if log is None:
        return own_topics(names, settings.shards, None)
    shards = shards_of(log, names, settings)
    if names.definitions not in log.topics():
        return own_topics(names, shards, None)
    definitions = Definitions(log, names)
    try:
        definitions.load()
        return own_topics(names, shards, definitions)
    finally:
        definitions.close()
