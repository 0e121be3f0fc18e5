"""Pools of workers: which there are, and how far behind they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sfc.errors import LogError, LogUnavailable
from sfc.ports import Log, Partition
from sfc.runtime.definitions import Definitions
from sfc.wire.scale import Scale, scale_of
from sfc.wire.topics import Names

TASK = "task:"
BLUEPRINT = "blueprint:"


class Pool(NamedTuple):
    """``name``: ``task:NAME`` or ``blueprint:NAME``. ``topics``: its job topics with their consumer groups.
    ``scale``: what the documents ask for; None where its workers are somebody else's to start."""

    name: str
    topics: Mapping[str, str]
    scale: Scale | None

    @property
    def subject(self) -> str:
        """The task or blueprint."""
        return self.name.partition(":")[2]


class Lag(NamedTuple):
    """Jobs that wait or are at work, and the partitions of the pool's widest topic: more replicas than these would idle.
    ``trouble``: why they are not known, for instance a group that this process may not ask for."""

    jobs: int
    partitions: int
    trouble: str = ""


def pools_of(definitions: Definitions, names: Names) -> dict[str, Pool]:
    """By name. A task or blueprint that has moved elsewhere keeps its pool, with no minimum: jobs of older versions may still come. So
    does a blueprint that starts no flows any more."""
    found: dict[str, Pool] = {}
    versions: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
    for task in sorted(definitions.tasks(), key=lambda t: (t.name, t.version)):
        versions.setdefault(task.name, []).append((task.version, task.document))
    for name, documents in versions.items():
        head = definitions.task_heads.get(name)
        at_work = {number: document for number, document in documents if _by_workers(document)}
        if head is not None and at_work:
            topics = dict(_topic_of(name, document, names) for document in at_work.values())
            found[TASK + name] = Pool(TASK + name, topics, _scale(at_work, head.current))
    for name, blueprint in sorted(definitions.heads.items()):
        specific = {number: section for number, section in _sections(definitions, name) if section.get("MessageType") == "specific"}
        if specific:
            topics = {names.specific_jobs(name): names.specific_group(name)}
            scale = _scale(specific, blueprint.current)
            if scale is not None and blueprint.status in ("disabled", "retired"):
                scale = scale._replace(min=0)
            found[BLUEPRINT + name] = Pool(BLUEPRINT + name, topics, scale)
    return found


def _by_workers(document: Mapping[str, Any]) -> bool:
    """Whether SFC's workers do the task: it names no service, or the module of a worker that is one."""
    if "Http" in document or "Grpc" in document:
        return False
    return "Kafka" not in document or bool(document.get("Scale", {}).get("Module"))


def _topic_of(name: str, document: Mapping[str, Any], names: Names) -> tuple[str, str]:
    kafka = document.get("Kafka")
    if kafka is None:
        return names.task(name), names.task(name)
    return kafka["Topic"], kafka.get("ConsumerGroup") or kafka["Topic"]


def _sections(definitions: Definitions, blueprint: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    number = 1
    while (version := definitions.version(blueprint, number)) is not None:
        yield number, version.document.get("Sfc", {})
        number += 1


def _scale(documents: Mapping[int, Mapping[str, Any]], current: int) -> Scale | None:
    document = documents[current] if current in documents else documents[max(documents)]
    if "Scale" not in document:
        return None
    scale = scale_of(document["Scale"])
    return scale if current in documents else scale._replace(min=0)


def lags(log: Log, pools: Iterable[Pool]) -> dict[str, Lag]:
    """Of each pool: ends minus what its groups have committed. Two questions for all partitions together, and one for each group.
    A group that the log does not tell of is its pool's trouble alone; raises LogError for what concerns all."""
    asked = list(pools)
    counts = log.topics()
    partitions = {topic: [Partition(topic, n) for n in range(counts.get(topic, 0))] for pool in asked for topic in pool.topics}
    everything = [at for ats in partitions.values() for at in ats]
    if not everything:
        return {pool.name: Lag(0, 0) for pool in asked}
    starts, ends = log.starts(everything), log.ends(everything)
    found = {}
    for pool in asked:
        widest = max(len(partitions[topic]) for topic in pool.topics)
        try:
            done = {at: p.offset for group in dict.fromkeys(pool.topics.values()) for at, p in log.group_positions(group).items()}
        except LogUnavailable:
            raise
        except LogError as e:
            found[pool.name] = Lag(0, widest, e.message)
            continue
        its = [at for topic in pool.topics for at in partitions[topic]]
        found[pool.name] = Lag(sum(max(0, ends[at] - max(done.get(at, 0), starts[at])) for at in its), widest)
    return found
