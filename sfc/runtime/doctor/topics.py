"""SFC's topics and the settings that exactly-once, or the operator's peace, rests on (EXACTLY-ONCE 33, 34)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sfc.ports import TopicInfo, TopicSpec
from sfc.runtime.definitions import Definitions
from sfc.runtime.doctor.cluster import TopicHealth
from sfc.runtime.doctor.diagnosis import Diagnosis
from sfc.runtime.doctor.times import Times, longest, said
from sfc.runtime.topics import altering, creating
from sfc.wire.topics import DAY_MS, HOUR_MS, Names

_SEGMENT_BYTES_MIN = 1024 * 1024
_SEGMENT_MS_MIN = 60_000
_NEEDED = {"READ", "WRITE", "DESCRIBE"}

Describe = Callable[[str], TopicInfo | None]


def check_topics(
    specs: Mapping[str, TopicSpec], core: frozenset[str], describe: Describe, definitions: Definitions | None, names: Names,
    bootstrap: str, found: Diagnosis,
) -> list[str]:  # fmt: skip
    """Looks at each topic that should be there; returns those that are. ``core``: those that every installation has."""
    there = []
    if all(describe(name) is None for name in specs):
        _nothing(names, bootstrap, found)
        return []
    for name, spec in specs.items():
        info = describe(name)
        if info is None:
            breaks = "nothing runs" if name in core else "its jobs have nowhere to go: their flows fail, or wait"
            found.error("topic-missing", f"there is no topic {name}", breaks, creating(spec, bootstrap), name)
            continue
        there.append(name)
        _settings(info, spec, bootstrap, found)
        if name in (names.commands, names.state, names.history) and info.partitions != spec.partitions:
            _partitions(info, spec, found)
    if definitions is not None:
        _times(longest(definitions, names), describe, names, bootstrap, found)
    return there


def _nothing(names: Names, bootstrap: str, found: Diagnosis) -> None:
    """One finding in place of one for each topic. ``bootstrap`` is empty beside the embedded log, which makes its own topics."""
    make = f"sfc topics create --kafka {bootstrap}" if bootstrap else "sfc dev"
    said_ = f"nothing of SFC is there: no topic of the namespace {names.namespace} (SFC_NAMESPACE)"
    found.error("topic-missing", said_, "nothing runs", f"{make}; or set SFC_NAMESPACE, if SFC is there under another name")


def _partitions(info: TopicInfo, spec: TopicSpec, found: Diagnosis) -> None:
    said_ = f"{info.name} has {info.partitions} partitions, and {spec.partitions} shards are recorded"
    if info.partitions > spec.partitions:
        mend = "nothing has to be done: SFC uses the first ones. Partitions can't be taken away"
        found.warn("partitions", said_, "commands that others append to the further partitions are only passed on", mend, info.name)
    else:
        mend = f"kafka-topics.sh --alter --topic {info.name} --partitions {spec.partitions}, if it was made anew by mistake"
        found.error("partitions", said_, "shards have no partition of their own: no engine starts", mend, info.name)


def _settings(info: TopicInfo, spec: TopicSpec, bootstrap: str, found: Diagnosis) -> None:
    config, name = info.config, info.name

    def mend(setting: str, value: str) -> str:
        return altering(bootstrap, name, setting, value)

    for setting, code, breaks in (
        ("message.timestamp.type", "append-time", "a shard's clock is the append time: the engine stops before a record without one"),
        ("cleanup.policy", "cleanup-policy", "records that are needed are deleted, or ones that are not are kept for ever"),
        (
            "unclean.leader.election.enable",
            "unclean-election",
            "a replica that was behind may become the leader: acknowledged records are lost",
        ),
    ):
        expected, came = spec.config.get(setting), config.get(setting)
        if expected is not None and came is not None and came != expected:
            found.error(code, f"{name}: {setting} is {came}, {expected} was expected", breaks, mend(setting, expected), name)
    expected, came = spec.config.get("max.message.bytes"), config.get("max.message.bytes")
    if expected is not None and came is not None and int(came) < int(expected):
        breaks = "a flow or a command that SFC lets through is refused by the topic"
        said_ = f"{name}: max.message.bytes is {came}, at least {expected} was expected"
        found.error("message-bytes", said_, breaks, mend("max.message.bytes", expected), name)
    if "delete" in spec.config.get("cleanup.policy", "") and (limit := _number(config, "retention.bytes")) >= 0:
        said_ = f"{name}: retention.bytes is {limit}"
        breaks = "records go by size, whether they were read or not: an engine or worker that is behind loses them"
        found.error("retention-bytes", said_, breaks, mend("retention.bytes", "-1"), name)
    kept, least = _number(config, "retention.ms"), min(DAY_MS, int(spec.config.get("retention.ms", DAY_MS)))
    if "delete" in spec.config.get("cleanup.policy", "") and 0 <= kept < least:
        said_ = f"{name}: retention.ms is {kept} ({said(kept)})"
        breaks = "what waits longer than that is gone: after an outage of this length commands, jobs or history are lost"
        found.error("retention", said_, breaks, mend("retention.ms", spec.config["retention.ms"]), name)
    if 0 <= _number(config, "segment.bytes") < _SEGMENT_BYTES_MIN or 0 <= _number(config, "segment.ms") < _SEGMENT_MS_MIN:
        said_ = f"{name}: segment.bytes is {config.get('segment.bytes')}, segment.ms {config.get('segment.ms')}"
        breaks = "thousands of small files: the broker runs out of file handles, and a restart takes long"
        found.warn("segments", said_, breaks, mend("segment.bytes", "1073741824,segment.ms=604800000"), name)
    if spec.config.get("cleanup.policy") == "compact" and 0 <= _number(config, "delete.retention.ms") < HOUR_MS:
        said_ = f"{name}: delete.retention.ms is {config['delete.retention.ms']}"
        breaks = "an engine that was away for longer does not hear that a flow is forgotten, and restores from the log"
        found.warn("delete-retention", said_, breaks, mend("delete.retention.ms", "86400000"), name)


def _times(times: Times, describe: Describe, names: Names, bootstrap: str, found: Diagnosis) -> None:
    """Retentions against what blueprints and tasks wait for."""
    history = describe(names.history)
    kept = _number(history.config, "retention.ms") if history is not None else -1
    if 0 <= kept < times.flow_ms:
        said_ = f"{names.history} is kept for {said(kept)}, and {times.flow_of} may take {said(times.flow_ms)}"
        breaks = (
            "the history of such a flow begins to go before its end: the index can't be made anew with it, explain and audit see a part"
        )
        found.warn(
            "history-retention",
            said_,
            breaks,
            altering(bootstrap, names.history, "retention.ms", str(times.flow_ms + DAY_MS)),
            names.history,
        )
    for topic, (wait_ms, task) in times.jobs.items():
        info = describe(topic)
        kept = _number(info.config, "retention.ms") if info is not None else -1
        if 0 <= kept < wait_ms:
            said_ = f"{topic} is kept for {said(kept)}, and a job of {task} may wait for {said(wait_ms)}"
            breaks = "a job that waits so long is deleted before a worker takes it: its flow waits for its timeout, for nothing"
            found.warn("job-retention", said_, breaks, altering(bootstrap, topic, "retention.ms", str(wait_ms + DAY_MS)), topic)


def check_health(
    health: Mapping[str, TopicHealth], describe: Describe, brokers: int, core: frozenset[str], bootstrap: str, found: Diagnosis
) -> None:
    """Replicas, leaders, and what this client may do."""
    single, thin = [], []
    for name, topic in sorted(health.items()):
        info = describe(name)
        least = _number(info.config, "min.insync.replicas") if info is not None else -1
        if topic.leaderless:
            mend = "start its brokers again; kafka-topics.sh --describe shows where its replicas are"
            found.error("leaderless", f"{topic.leaderless} partitions of {name} have no leader", "nothing reads or writes them", mend, name)
        if least > topic.replicas:
            said_ = f"{name}: min.insync.replicas is {least}, and there are {topic.replicas} replicas"
            found.error(
                "min-isr", said_, "every write is refused", altering(bootstrap, name, "min.insync.replicas", str(topic.replicas)), name
            )
        elif topic.in_sync < topic.replicas:
            said_ = f"{name}: {topic.in_sync} of {topic.replicas} replicas are in sync"
            breaks = "one failure less can be outlived" + (", and writes are refused" if topic.in_sync < least else "")
            found.warn("out-of-sync", said_, breaks, "look at the brokers' logs: one is away, or slow", name)
        if name in core and topic.replicas == 1:
            single.append(name)
        elif name in core and 0 <= least < 2:
            thin.append(name)
        missing = _NEEDED - topic.operations if topic.operations is not None else set()
        if missing:
            said_ = f"{name}: this client may not {', '.join(sorted(missing))}"
            add = " ".join(f"--operation {operation.capitalize()}" for operation in sorted(missing))
            mend = f"kafka-acls.sh {_at(bootstrap)}--add --allow-principal User:NAME {add} --topic {name}"
            found.error("acl", said_, "a role that needs it fails", mend, name)
    if single:
        breaks = "what one broker has, it alone has: with its disk the flows are lost"
        mend = "three brokers and SFC_REPLICATION=3 before the topics are made; for those there are: kafka-reassign-partitions.sh"
        if brokers == 1:
            mend = f"fine on a laptop; in production {mend}"
        found.warn("one-replica", f"{', '.join(single)}: one replica each", breaks, mend)
    for name in thin:
        breaks = "a write counts as done when one broker has it: with that broker's disk it is lost"
        found.warn("min-isr", f"{name}: min.insync.replicas is 1", breaks, altering(bootstrap, name, "min.insync.replicas", "2"), name)


def _number(config: Mapping[str, str], name: str) -> int:
    """-1 where it is not given."""
    try:
        return int(config.get(name, -1))
    except ValueError:
        return -1


def _at(bootstrap: str) -> str:
    return f"--bootstrap-server {bootstrap} " if bootstrap else ""
