"""`sfc doctor` names each thing that would break, says what breaks by it, and the command that mends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from sfc.adapters.embedded import EmbeddedLog
from sfc.engine.commands import Pause
from sfc.engine.rules import RULES
from sfc.errors import LogError, NotPossible
from sfc.ports import Partition, Position, TopicInfo, TopicSpec
from sfc.runtime.doctor import Broker, Diagnosis, Finding, TopicHealth, accept_rules, examine
from sfc.runtime.shard_records import last_record
from sfc.wire.definitions import BlueprintHead, BlueprintVersion, ClusterSettings, TaskHead
from sfc.wire.partition import partition_of
from sfc.wire.state import encode_shard, interval_headers, shard_key
from sfc.wire.topics import core_topics, job_topic
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle

HOME = partition_of(b"twice:1", SHARDS)
ALL = frozenset(("READ", "WRITE", "DESCRIBE", "CREATE", "ALTER"))
HEALTHY = TopicHealth(3, 3, 0, ALL)
SOUND = {
    "transaction.state.log.replication.factor": "3",
    "offsets.topic.replication.factor": "3",
    "transaction.max.timeout.ms": "900000",
    "group.min.session.timeout.ms": "6000",
    "offsets.retention.minutes": "10080",
    "auto.create.topics.enable": "false",
}


class Cluster:
    """Three brokers, as they should be, and what a test makes of them."""

    def __init__(self) -> None:
        self.config = dict(SOUND)
        self.health: dict[str, TopicHealth] = {}
        self.may: frozenset[str] | None = ALL
        self.count = 3
        self.trouble = ""

    def brokers(self) -> list[Broker]:
        return [Broker(n, {} if self.trouble else self.config, self.trouble) for n in range(1, self.count + 1)]

    def operations(self) -> frozenset[str] | None:
        return self.may

    def topics(self, names: Sequence[str]) -> dict[str, TopicHealth]:
        return {name: self.health.get(name, HEALTHY) for name in names}


class Clinic:
    """A bench with an engine that has taken its shards; ``examined`` looks at it. ``config``: settings over those of the topics."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bench = bench
        self.cluster = Cluster()
        self.config: dict[str, dict[str, str]] = {}
        self.ids: dict[str, str] = {}
        self.later_s = 0.0
        bench.define(ClusterSettings(SHARDS))
        bench.define(TaskHead("echo", 1, 1))
        self.lane = bench.lane()
        bench.start("twice:1")
        bench.run([self.lane], lambda: len(bench.answers) == 1)
        settle(bench, [self.lane], 40)
        done = bench.log.ends([Partition(NAMES.task("echo"), n) for n in range(SHARDS)])
        bench.log.set_group_positions(NAMES.task("echo"), {at: Position(end) for at, end in done.items()})
        asked = bench.log.describe

        def described(topic: str) -> TopicInfo | None:
            found = asked(topic)
            if found is None:
                return None
            made = job_topic(SHARDS)[1] if topic == NAMES.task("echo") else {}
            config: Mapping[str, str] = {**found.config, "min.insync.replicas": "2", **made, **self.config.get(topic, {})}
            return found._replace(config=config, id=self.ids.get(topic, found.id))

        monkeypatch.setattr(bench.log, "describe", described)

    def examined(self) -> Diagnosis:
        import time

        return examine(self.bench.log, self.cluster, NAMES, SHARDS, "localhost:9092", lambda: time.time() + self.later_s)

    def only(self, code: str, severity: str = "error") -> Finding:
        found = self.examined()
        assert [(f.code, f.severity) for f in found.findings] == [(code, severity)], found.findings
        assert found.sound == (severity == "warning")
        return found.findings[0]


@pytest.fixture
def clinic(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    return Clinic(bench, monkeypatch)


def test_a_sound_installation_has_no_findings(clinic: Clinic) -> None:
    found = clinic.examined()
    assert found.findings == []
    assert (found.sound, found.brokers, found.topics, found.shards, found.notes) == (
        True,
        3,
        len(core_topics(NAMES, SHARDS)) + 1,
        SHARDS,
        [],
    )


@pytest.mark.parametrize(
    ("topic", "setting", "value", "code", "severity"),
    [
        (NAMES.commands, "message.timestamp.type", "CreateTime", "append-time", "error"),
        (NAMES.state, "cleanup.policy", "delete", "cleanup-policy", "error"),
        (NAMES.history, "unclean.leader.election.enable", "true", "unclean-election", "error"),
        (NAMES.state, "max.message.bytes", "1048576", "message-bytes", "error"),
        (NAMES.commands, "retention.bytes", "1000000", "retention-bytes", "error"),
        (NAMES.commands, "retention.ms", "3600000", "retention", "error"),
        (NAMES.state, "segment.bytes", "1000", "segments", "warning"),
        (NAMES.history, "segment.ms", "1000", "segments", "warning"),
        (NAMES.state, "delete.retention.ms", "1000", "delete-retention", "warning"),
        (NAMES.state, "min.insync.replicas", "1", "min-isr", "warning"),
        (NAMES.state, "min.insync.replicas", "4", "min-isr", "error"),
        (NAMES.history, "retention.ms", "604800000", "history-retention", "warning"),
        (NAMES.task("echo"), "retention.ms", "86400000", "job-retention", "warning"),
    ],
)
def test_a_wrong_setting_of_a_topic_comes_with_the_command(
    clinic: Clinic, topic: str, setting: str, value: str, code: str, severity: str
) -> None:
    clinic.config[topic] = {setting: value}
    found = clinic.only(code, severity)
    assert topic in found.said
    assert found.mend.startswith(f"kafka-configs.sh --bootstrap-server localhost:9092 --alter --entity-type topics --entity-name {topic}")
    assert found.breaks


def test_the_longest_timer_of_a_blueprint_counts(clinic: Clinic) -> None:
    states = {"Nap": {"Type": "Wait", "Seconds": 90 * 86_400, "End": True}}
    clinic.bench.define(BlueprintVersion("nap", 2, "h-nap2", {"StartAt": "Nap", "States": states, "Sfc": {"Name": "nap"}}))
    clinic.bench.define(BlueprintHead("nap", 2, "enabled", 2))
    clinic.config[NAMES.history] = {"retention.ms": str(30 * 86_400_000)}
    found = clinic.only("history-retention", "warning")
    assert "nap may take 90 d" in found.said
    assert found.mend.endswith(f"retention.ms={91 * 86_400_000}")


def test_a_missing_topic_comes_with_the_command_that_makes_it(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    topics = {name: count for name, count in clinic.bench.log.topics().items() if name != NAMES.replies}
    monkeypatch.setattr(clinic.bench.log, "topics", lambda: topics)
    found = clinic.only("topic-missing")
    assert found.mend.startswith(f"kafka-topics.sh --bootstrap-server localhost:9092 --create --topic {NAMES.replies} --partitions 1")


def test_partitions_that_are_not_the_recorded_number(clinic: Clinic) -> None:
    clinic.bench.define(ClusterSettings(SHARDS + 1))
    codes = [(f.code, f.severity) for f in clinic.examined().findings]
    assert codes == [("partitions", "error")] * 3
    clinic.bench.define(ClusterSettings(SHARDS - 1))
    codes = [(f.code, f.severity) for f in clinic.examined().findings]
    assert codes == [("partitions", "warning")] * 3


@pytest.mark.parametrize(
    ("setting", "value", "code", "severity"),
    [
        ("transaction.state.log.replication.factor", "1", "internal-replicas", "error"),
        ("offsets.topic.replication.factor", "1", "internal-replicas", "error"),
        ("transaction.max.timeout.ms", "1000", "transaction-timeout", "error"),
        ("group.min.session.timeout.ms", "30000", "session-timeout", "error"),
        ("offsets.retention.minutes", "60", "offsets-retention", "warning"),
        ("auto.create.topics.enable", "true", "auto-create", "warning"),
    ],
)
def test_a_wrong_setting_of_a_broker(clinic: Clinic, setting: str, value: str, code: str, severity: str) -> None:
    clinic.cluster.config[setting] = value
    found = clinic.examined()
    assert {(f.code, f.severity) for f in found.findings} == {(code, severity)}
    assert len(found.findings) == 3, "one for each broker"
    assert setting in found.findings[0].said + found.findings[0].mend


def test_brokers_of_different_releases_and_ones_without_topic_ids(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = iter(("3.7", "3.9", "3.9"))
    brokers = [b._replace(config={**b.config, "inter.broker.protocol.version": next(versions)}) for b in clinic.cluster.brokers()]
    monkeypatch.setattr(clinic.cluster, "brokers", lambda: brokers)
    assert "3.7, 3.9" in clinic.only("broker-releases", "warning").said
    monkeypatch.setattr(clinic.cluster, "brokers", lambda: [b._replace(config=SOUND) for b in brokers])
    clinic.ids[NAMES.state] = "AAAAAAAAAAAAAAAAAAAAAA"
    assert "older than Kafka 2.8" in clinic.only("broker-release").said


def test_what_may_not_be_asked_is_noted(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic.cluster.trouble = "CLUSTER_AUTHORIZATION_FAILED"
    clinic.cluster.may = frozenset(("DESCRIBE",))

    def refused(_group: str) -> Any:
        raise LogError("GROUP_AUTHORIZATION_FAILED")

    monkeypatch.setattr(clinic.bench.log, "group_members", refused)
    found = clinic.examined()
    assert found.findings == []
    assert len([note for note in found.notes if "broker" in note]) == 3
    assert any("shards can't be looked at" in note for note in found.notes)
    assert any("IdempotentWrite" in note for note in found.notes)


def test_replicas_leaders_and_rights(clinic: Clinic) -> None:
    clinic.cluster.health[NAMES.state] = HEALTHY._replace(in_sync=1)
    assert "writes are refused" in clinic.only("out-of-sync", "warning").breaks
    clinic.cluster.health[NAMES.state] = HEALTHY._replace(leaderless=2)
    assert "2 partitions" in clinic.only("leaderless").said
    clinic.cluster.health[NAMES.state] = HEALTHY._replace(operations=frozenset(("DESCRIBE", "READ")))
    acl = clinic.only("acl")
    assert acl.mend == (
        "kafka-acls.sh --bootstrap-server localhost:9092 --add --allow-principal User:NAME --operation Write --topic sfc.state"
    )


def test_one_replica_is_told_once_for_all_topics(clinic: Clinic) -> None:
    clinic.cluster.health = dict.fromkeys(core_topics(NAMES, SHARDS), HEALTHY._replace(replicas=1, in_sync=1))
    clinic.config = {name: {"min.insync.replicas": "1"} for name in core_topics(NAMES, SHARDS)}
    assert not clinic.only("one-replica", "warning").mend.startswith("fine on a laptop")
    clinic.cluster.count = 1
    assert clinic.only("one-replica", "warning").mend.startswith("fine on a laptop")


def test_no_engine_and_a_shard_without_one(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = clinic.bench.log.group_members
    with monkeypatch.context() as patched:
        patched.setattr(clinic.bench.log, "group_members", lambda g: [m._replace(partitions=m.partitions[:1]) for m in asked(g)])
        assert clinic.only("shard-without-engine").shard in range(SHARDS)
    clinic.lane.close()
    assert clinic.only("no-engine-seen", "warning").mend == "sfc engine"
    clinic.bench.command("twice:1", Pause())
    clinic.later_s = 60
    assert f"1 shard ({HOME})" in clinic.only("no-engine").said


def test_a_shard_that_is_behind_and_one_that_is_held(clinic: Clinic) -> None:
    transaction = clinic.bench.log.transaction("a-service")
    transaction.begin()
    transaction.send(NAMES.commands, b"{}", b"x", [], 1)
    held = clinic.only("shard-held")
    assert (held.shard, "ReplyTopic" in held.mend) == (1, True)
    transaction.abort()
    settle(clinic.bench, [clinic.lane], 20)
    clinic.bench.command("twice:1", Pause())  # and the lane is not stepped
    clinic.later_s = 60
    behind = next(f for f in clinic.examined().findings if f.shard == HOME)
    assert behind.code == "shard-behind"
    assert "1 command behind, the first has waited for" in behind.said


def test_jobs_that_nobody_takes(clinic: Clinic) -> None:
    clinic.bench.start("twice:2")
    settle(clinic.bench, [clinic.lane], 10)
    found = clinic.only("no-consumer", "warning")
    assert "of sfc.task.echo wait" in found.said
    assert found.topic == NAMES.task("echo")


def rewritten(bench: Bench, number: int, **fields: Any) -> None:
    """The shard's own record with other fields."""
    state = last_record(bench.log, NAMES, number)
    assert state is not None
    changed = replace(state, interval=state.interval + 1, **fields)
    bench.producer.send(NAMES.state, encode_shard(changed), shard_key(number), interval_headers(changed.interval), number)
    bench.producer.flush()


def test_a_shard_that_stands_where_its_commands_are_not(clinic: Clinic) -> None:
    rewritten(clinic.bench, HOME, next_offset=10_000)
    assert "was truncated, or made anew" in clinic.only("position").breaks


def test_a_torn_shard_is_told(clinic: Clinic) -> None:
    state = last_record(clinic.bench.log, NAMES, HOME)
    assert state is not None
    clinic.bench.producer.send(NAMES.state, b"{}", b"twice:7", interval_headers(state.interval + 1), HOME)
    clinic.bench.producer.flush()
    assert "no engine takes it" in clinic.only("torn").breaks


def test_a_shard_of_another_release_and_the_word_that_lets_it_be_taken(clinic: Clinic) -> None:
    clinic.lane.close()
    bench = clinic.bench
    shard = HOME
    with pytest.raises(NotPossible, match="already"):
        accept_rules(bench.log, NAMES, shard, watched_s=0)
    rewritten(bench, shard, rules=RULES - 1, closed=True)
    with pytest.raises(NotPossible, match="is closed"):
        accept_rules(bench.log, NAMES, shard, watched_s=0)
    rewritten(bench, shard, rules=RULES - 1, closed=False)
    found = next(f for f in clinic.examined().findings if f.code == "rules")
    assert found.mend.endswith(f"sfc doctor --accept-rules {shard}")
    done = accept_rules(bench.log, NAMES, shard, watched_s=0)
    assert (done.shard, done.from_rules, done.to_rules) == (shard, RULES - 1, RULES)
    lane = bench.lane()
    settle(bench, [lane], 20)
    assert (sorted(lane.shards), lane.stopped) == (list(range(SHARDS)), {})
    lane.close()


def test_a_newer_releases_shard_is_never_taken(clinic: Clinic) -> None:
    clinic.lane.close()
    rewritten(clinic.bench, HOME, rules=RULES + 1)
    assert "run engines of the newer release" in next(f for f in clinic.examined().findings if f.code == "rules").mend
    with pytest.raises(NotPossible, match="never takes it"):
        accept_rules(clinic.bench.log, NAMES, HOME, watched_s=0)


def test_a_shard_that_goes_on_is_not_taken_from_its_engine(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic.lane.close()
    rewritten(clinic.bench, HOME, rules=RULES - 1, closed=False)
    monkeypatch.setattr("sfc.runtime.doctor.accepting.time.sleep", lambda _s: rewritten(clinic.bench, HOME, next_offset=1))
    with pytest.raises(NotPossible, match="goes on"):
        accept_rules(clinic.bench.log, NAMES, HOME)


def test_a_shard_that_never_decided_anything_has_no_rules_to_accept(bench: Bench) -> None:
    with pytest.raises(NotPossible, match="no record of its own"):
        accept_rules(bench.log, NAMES, 0, watched_s=0)


def test_the_embedded_log_is_examined_without_brokers(clinic: Clinic) -> None:
    clinic.lane.close()
    found = examine(clinic.bench.log, None, NAMES, SHARDS)
    assert (found.sound, found.brokers, found.findings) == (True, 0, [])


def test_where_nothing_of_sfc_is_there_one_finding_says_so_and_the_brokers_are_looked_at_all_the_same() -> None:
    log, cluster = EmbeddedLog.memory(), Cluster()
    log.create([TopicSpec("others", 1)])
    cluster.config["transaction.max.timeout.ms"] = "1000"
    found = examine(log, cluster, NAMES, 5, "localhost:9092")
    assert [f.code for f in found.findings] == ["topic-missing", *["transaction-timeout"] * 3]
    assert found.findings[0].said == "nothing of SFC is there: no topic of the namespace sfc (SFC_NAMESPACE)"
    assert found.findings[0].mend.startswith("sfc topics create --kafka localhost:9092;")
    assert (found.brokers, found.topics, found.shards) == (3, 0, 0)
    assert log.ends([Partition("others", 0)])
    log.close()


def test_where_one_topic_is_there_each_other_comes_with_its_command() -> None:
    log = EmbeddedLog.memory()
    log.create([TopicSpec(NAMES.control, 1)])
    found = examine(log, Cluster(), NAMES, 5)
    missing = {f.topic: f.mend for f in found.findings if f.code == "topic-missing"}
    assert missing.keys() == core_topics(NAMES, 5).keys() - {NAMES.control}
    assert "--partitions 5" in missing[NAMES.commands]
    log.close()
