"""The brokers' own settings, as far as this client may see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sfc.runtime.doctor.cluster import Broker
from sfc.runtime.doctor.diagnosis import Diagnosis
from sfc.wire.topics import DAY_MS

RELEASE_MIN = (2, 8)  # topic ids
SESSION_MS = 6_000
TRANSACTION_MS = 15_000
_OFFSETS_MIN = 7 * DAY_MS // 60_000


def check_brokers(brokers: Sequence[Broker], operations: frozenset[str] | None, topic_ids: Mapping[str, str], found: Diagnosis) -> None:
    """``topic_ids``: of topics that are there."""
    found.brokers = len(brokers)
    nameless = [name for name, id in topic_ids.items() if not id.strip("A=")]
    if nameless:
        breaks = "a topic that is deleted and made again can't be told from the one before: records are dropped as repeated"
        said = f"the brokers give no ids to topics ({nameless[0]}): they are older than Kafka {RELEASE_MIN[0]}.{RELEASE_MIN[1]}"
        found.error("broker-release", said, breaks, "upgrade the brokers, and inter.broker.protocol.version with them")
    releases = {broker.config["inter.broker.protocol.version"] for broker in brokers if broker.config.get("inter.broker.protocol.version")}
    if len(releases) > 1:
        said = f"the brokers speak different releases: {', '.join(sorted(releases))}"
        found.warn("broker-releases", said, "fine while they are upgraded, and not for longer", "finish the upgrade")
    if operations is not None and "IDEMPOTENT_WRITE" not in operations and "ALTER" not in operations and brokers:
        found.notes.append("the cluster grants no IdempotentWrite: Kafka before 3.0 needs it, later ones take Write on the topics")
    for broker in brokers:
        if broker.trouble:
            found.notes.append(f"the settings of broker {broker.id} can't be looked at: {broker.trouble}")
        else:
            _check(broker, len(brokers), found)


def _check(broker: Broker, brokers: int, found: Diagnosis) -> None:
    where = f"broker {broker.id}"

    def number(name: str) -> int:
        try:
            return int(broker.config.get(name) or -1)
        except ValueError:
            return -1

    def setting(name: str, value: object) -> str:
        return f"in server.properties of each broker: {name}={value}; then restart them one by one"

    for name, what in (
        ("transaction.state.log.replication.factor", "with one disk the state of all transactions is lost: engines can't commit"),
        ("offsets.topic.replication.factor", "with one disk the positions of all consumer groups are lost: triggers begin anew"),
    ):
        if brokers > 1 and number(name) == 1:
            mend = f"kafka-reassign-partitions.sh for the internal topic; for a new cluster {setting(name, min(brokers, 3))}"
            found.error("internal-replicas", f"{where}: {name} is 1, with {brokers} brokers", what, mend)
    if 0 <= number("transaction.max.timeout.ms") < TRANSACTION_MS:
        said = f"{where}: transaction.max.timeout.ms is {number('transaction.max.timeout.ms')}, SFC asks for {TRANSACTION_MS}"
        found.error("transaction-timeout", said, "engines get no transactional producer", setting("transaction.max.timeout.ms", 900_000))
    if number("group.min.session.timeout.ms") > SESSION_MS:
        said = f"{where}: group.min.session.timeout.ms is {number('group.min.session.timeout.ms')}, SFC asks for {SESSION_MS}"
        mend = setting("group.min.session.timeout.ms", SESSION_MS)
        found.error("session-timeout", said, "no role can join its consumer group", mend)
    if 0 <= number("offsets.retention.minutes") < _OFFSETS_MIN:
        said = f"{where}: offsets.retention.minutes is {number('offsets.retention.minutes')}"
        breaks = "a trigger that is away for longer has lost its place: it starts where its From says, and skips or repeats records"
        found.warn("offsets-retention", said, breaks, setting("offsets.retention.minutes", _OFFSETS_MIN))
    if broker.config.get("auto.create.topics.enable") == "true":
        said = f"{where}: auto.create.topics.enable is true"
        breaks = "a misspelt topic is made silently, with one partition and the broker's settings: jobs go where nobody reads"
        found.warn("auto-create", said, breaks, setting("auto.create.topics.enable", "false"))
