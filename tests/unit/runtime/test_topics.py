"""SFC's topics are made and checked at start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.errors import TopicMismatch, TopicMissing
from sfc.ports import Log, TopicSpec
from sfc.runtime.topics import ensure_topics
from sfc.wire.topics import Names, core_topics

NAMES = Names("shop")
SPECS = [TopicSpec(name, partitions, config) for name, (partitions, config) in core_topics(NAMES, 4).items()]
COMMANDS = next(spec for spec in SPECS if spec.name == NAMES.commands)
STATE = next(spec for spec in SPECS if spec.name == NAMES.state)


@pytest.fixture
def log() -> Iterator[Log]:
    made = EmbeddedLog.memory()
    yield made
    made.close()


def test_missing_topics_are_made_once(log: Log) -> None:
    ensure_topics(log, SPECS, create=True)
    assert {name: log.topics()[name] for name in (NAMES.commands, NAMES.definitions)} == {NAMES.commands: 4, NAMES.definitions: 1}
    before = log.describe(NAMES.commands)
    ensure_topics(log, SPECS, create=True)
    ensure_topics(log, SPECS, create=False)
    assert log.describe(NAMES.commands) == before


def test_without_leave_to_make_them_the_commands_are_named(log: Log) -> None:
    log.create([spec for spec in SPECS if spec.name != NAMES.state])
    with pytest.raises(TopicMissing) as refused:
        ensure_topics(log, SPECS, create=False)
    assert "kafka-topics.sh --create --topic shop.state --partitions 4 --config cleanup.policy=compact" in refused.value.message
    assert "--topic shop.commands" not in refused.value.message
    assert NAMES.state not in log.topics()


@pytest.mark.parametrize(
    ("spec", "setting", "came", "expected"),
    [
        (COMMANDS, "message.timestamp.type", "CreateTime", "LogAppendTime"),
        (STATE, "cleanup.policy", "delete", "compact"),
        (COMMANDS, "max.message.bytes", "1048588", "8388608"),
    ],
)
def test_a_setting_that_would_break_a_promise_is_named_with_its_mend(
    log: Log, spec: TopicSpec, setting: str, came: str, expected: str
) -> None:
    log.create([spec._replace(config={**spec.config, setting: came})])
    with pytest.raises(TopicMismatch) as refused:
        ensure_topics(log, SPECS, create=True)
    assert came in refused.value.message
    mend = f"kafka-configs.sh --alter --entity-type topics --entity-name {spec.name} --add-config {setting}={expected}"
    assert mend in refused.value.message


def test_a_wrong_number_of_partitions_is_refused(log: Log) -> None:
    log.create([COMMANDS._replace(partitions=3)])
    with pytest.raises(TopicMismatch, match=r"shop\.commands: 4 partitions were expected.*it has 3"):
        ensure_topics(log, SPECS, create=True)


def test_all_differences_are_told_at_once(log: Log) -> None:
    log.create([COMMANDS._replace(partitions=3), STATE._replace(config={"cleanup.policy": "delete"})])
    with pytest.raises(TopicMismatch) as refused:
        ensure_topics(log, SPECS, create=True)
    assert NAMES.commands in refused.value.message
    assert NAMES.state in refused.value.message


def test_retention_is_the_operators_business(log: Log) -> None:
    log.create([COMMANDS._replace(config={**COMMANDS.config, "retention.ms": "1", "max.message.bytes": "99999999"})])
    ensure_topics(log, SPECS, create=True)
