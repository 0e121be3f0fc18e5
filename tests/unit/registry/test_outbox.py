"""From the database to the log, whatever dies in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.engine.commands import Hold
from sfc.errors import ProducerFailed
from sfc.ports import Partition, Record, TopicSpec
from sfc.registry import Outbox, Registry
from sfc.wire.commands import decode_command
from sfc.wire.definitions import BlueprintHead, ClusterSettings, decode_definition
from sfc.wire.topics import Names, core_topics

NAMES = Names("test")
SHARDS = 3


@pytest.fixture
def log() -> Iterator[EmbeddedLog]:
    opened = EmbeddedLog.memory()
    opened.create([TopicSpec(name, n, config) for name, (n, config) in core_topics(NAMES, SHARDS).items()])
    yield opened
    opened.close()


def read(log: EmbeddedLog, topic: str, partitions: int = 1) -> list[Record]:
    reader = log.reader({Partition(topic, n): 0 for n in range(partitions)})
    found: list[Record] = []
    while batch := reader.take(1000, 0.01):
        found += batch
    reader.close()
    return found


def keys(log: EmbeddedLog) -> list[str]:
    return [(r.key or b"").decode() for r in read(log, NAMES.definitions)]


def test_definitions_arrive_in_the_order_of_the_edits(registry: Registry, log: EmbeddedLog, documents: Any) -> None:
    registry.settings(SHARDS)
    registry.deploy([documents.blueprint(), documents.task()])
    outbox = Outbox(registry, log, NAMES, SHARDS)
    assert outbox.step() == 5
    assert keys(log) == ["settings", "task:split:1", "task:split", "blueprint:order:1", "blueprint:order"]
    assert outbox.step() == 0
    assert len(read(log, NAMES.definitions)) == 5
    assert decode_definition(read(log, NAMES.definitions)[0].value or b"") == ClusterSettings(SHARDS)
    outbox.close()


def test_a_hold_reaches_every_shard_with_its_source_and_mark(registry: Registry, log: EmbeddedLog, documents: Any) -> None:
    registry.deploy([documents.task(), documents.blueprint()])
    revision = registry.pause("order", "stop", "ann").revision
    Outbox(registry, log, NAMES, SHARDS).step()
    records = read(log, NAMES.commands, SHARDS)
    assert sorted(r.partition for r in records) == [0, 1, 2]
    for record in records:
        received = decode_command(record.key, record.value, list(record.headers))
        assert record.key == b"/hold/blueprint:order"
        assert (received.source, received.mark) == ("registry/blueprint:order", (revision,))
        assert received.command == Hold("blueprint:order", revision, True, reason="stop", by="ann")
    head = decode_definition(read(log, NAMES.definitions)[-1].value or b"")
    assert isinstance(head, BlueprintHead)
    assert head.status == "paused"


def test_a_deploy_is_published_when_its_rows_are_on_the_log(registry: Registry, log: EmbeddedLog, documents: Any) -> None:
    outbox = Outbox(registry, log, NAMES, SHARDS)
    first = registry.deploy([documents.task()])[0].revision
    assert not registry.published(first)
    outbox.step()
    assert registry.published(first)
    assert registry.definitions_end() == 2
    second = registry.deploy([documents.task("other")])[0].revision
    assert registry.published(first)
    assert not registry.published(second)
    assert not registry.published(second + 1)


def test_what_was_committed_before_a_kill_is_published_at_the_next_start(
    tmp_path: Path, clock: Any, log: EmbeddedLog, documents: Any
) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    killed = Registry(url, clock)
    killed.deploy([documents.task(), documents.blueprint()])
    killed.pause("order")
    # no step and no close: the process is gone
    reopened = Registry(url, clock)
    assert Outbox(reopened, log, NAMES, SHARDS).step() == 6
    assert keys(log) == ["task:split:1", "task:split", "blueprint:order:1", "blueprint:order", "blueprint:order"]
    assert len(read(log, NAMES.commands, SHARDS)) == SHARDS
    assert reopened.published(3)


def test_a_kill_between_publishing_and_marking_repeats_the_same_records(registry: Registry, log: EmbeddedLog, documents: Any) -> None:
    registry.deploy([documents.task()])

    class Killed(Registry):
        def __init__(self) -> None:
            """Looks at the same database."""

        unpublished = staticmethod(registry.unpublished)

        def mark_published(self, last_id: int, definitions_end: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Outbox(Killed(), log, NAMES, SHARDS).step()
    assert Outbox(registry, log, NAMES, SHARDS).step() == 2
    assert keys(log) == ["task:split:1", "task:split"] * 2
    values = [r.value for r in read(log, NAMES.definitions)]
    assert values[:2] == values[2:]


def test_a_failing_log_leaves_the_rows_for_the_next_step(registry: Registry, documents: Any, log: EmbeddedLog) -> None:
    registry.deploy([documents.task()])
    outbox = Outbox(registry, log, NAMES, SHARDS)
    real = log.producer

    class Lost:
        def send(self, *_args: Any, **_more: Any) -> None: ...

        def flush(self) -> None:
            raise ProducerFailed("lost")

        def close(self) -> None: ...

    log.producer = lambda **_more: Lost()  # type: ignore[assignment, method-assign]
    with pytest.raises(ProducerFailed):
        outbox.step()
    log.producer = real  # type: ignore[method-assign]
    assert outbox.step() == 2
    assert keys(log) == ["task:split:1", "task:split"]


def test_a_new_log_gets_everything_again(registry: Registry, log: EmbeddedLog, documents: Any) -> None:
    registry.settings(SHARDS)
    registry.deploy([documents.task(), documents.blueprint()])
    registry.pause("order", "x")
    Outbox(registry, log, NAMES, SHARDS).step()
    fresh = EmbeddedLog.memory()
    fresh.create([TopicSpec(name, n, config) for name, (n, config) in core_topics(NAMES, SHARDS).items()])
    registry.republish()
    Outbox(registry, fresh, NAMES, SHARDS).step()
    assert keys(fresh) == ["settings", "task:split:1", "task:split", "blueprint:order:1", "blueprint:order"]
    assert len(read(fresh, NAMES.commands, SHARDS)) == SHARDS
    fresh.close()
