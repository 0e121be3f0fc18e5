"""SFC's topics: made where they are missing and it may, and checked against what exactly-once rests on (EXACTLY-ONCE 33)."""

from __future__ import annotations

from collections.abc import Sequence

from sfc.errors import TopicMismatch, TopicMissing
from sfc.ports import Log, TopicSpec
from sfc.runtime.definitions import Definitions
from sfc.runtime.pools import pools_of
from sfc.wire.topics import Names, core_topics, job_topic

_CHECKED = ("message.timestamp.type", "cleanup.policy")  # these exactly; retention and the like are the operator's


def ensure_topics(log: Log, specs: Sequence[TopicSpec], *, create: bool, bootstrap: str = "") -> None:
    """Makes the topics that are missing, or says which commands make them; then checks all. ``bootstrap``: the broker's address, for
    the commands.

    Raises TopicMissing, or TopicMismatch with everything that differs: what was expected, what came, and the command that mends it.
    """
    there = log.topics()
    missing = [spec for spec in specs if spec.name not in there]
    if missing and not create:
        commands = "\n".join(f"  {creating(spec, bootstrap)}" for spec in missing)
        raise TopicMissing(f"{len(missing)} of SFC's topics are not there, and SFC_CREATE_TOPICS is off. These make them:\n{commands}")
    if missing:
        log.create(missing)
    wrong = [line for spec in specs for line in _differences(log, spec, bootstrap)]
    if wrong:
        raise TopicMismatch("SFC can't run on these topics:\n" + "\n".join(f"  {line}" for line in wrong))


def creating(spec: TopicSpec, bootstrap: str = "") -> str:
    """The command that makes a topic on the broker with this address."""
    settings = "".join(f" --config {name}={value}" for name, value in sorted(spec.config.items()))
    return f"kafka-topics.sh {_at(bootstrap)}--create --topic {spec.name} --partitions {spec.partitions}{settings}"


def own_topics(names: Names, shards: int, definitions: Definitions | None) -> list[TopicSpec]:
    """Those that every installation has, and the job topics of what is deployed."""
    found = [TopicSpec(name, partitions, config) for name, (partitions, config) in core_topics(names, shards).items()]
    if definitions is None:
        return found
    partitions, config = job_topic(shards)
    own = {topic for pool in pools_of(definitions, names).values() for topic in pool.topics if names.is_own(topic)}
    return found + [TopicSpec(name, partitions, config) for name in sorted(own)]


def _at(bootstrap: str) -> str:
    return f"--bootstrap-server {bootstrap} " if bootstrap else ""


def _differences(log: Log, spec: TopicSpec, bootstrap: str) -> list[str]:
    info = log.describe(spec.name)
    if info is None:
        raise TopicMissing(f"topic {spec.name} is not there, though it was just made", hint="look at the broker's log")
    lines = []
    if info.partitions != spec.partitions:
        lines.append(
            f"{spec.name}: {spec.partitions} partitions were expected (the recorded shard count), it has {info.partitions};"
            " partitions can't be taken away: use another namespace (SFC_NAMESPACE), or make the topic again while it is empty"
        )
    for name in _CHECKED:
        expected, came = spec.config.get(name), info.config.get(name)
        if expected is not None and came is not None and came != expected:
            lines.append(f"{spec.name}: {name}={expected} was expected, it is {came}; {_altering(bootstrap, spec.name, name, expected)}")
    if "max.message.bytes" in spec.config and int(info.config.get("max.message.bytes", 0) or 0) < int(spec.config["max.message.bytes"]):
        expected, came = spec.config["max.message.bytes"], info.config.get("max.message.bytes")
        mend = _altering(bootstrap, spec.name, "max.message.bytes", expected)
        lines.append(f"{spec.name}: max.message.bytes of at least {expected} was expected, it is {came}; {mend}")
    return lines


def _altering(bootstrap: str, topic: str, name: str, value: str) -> str:
    return f"mend it with: {altering(bootstrap, topic, name, value)}"


def altering(bootstrap: str, topic: str, name: str, value: str) -> str:
    """The command that changes a topic's setting."""
    return f"kafka-configs.sh {_at(bootstrap)}--alter --entity-type topics --entity-name {topic} --add-config {name}={value}"
