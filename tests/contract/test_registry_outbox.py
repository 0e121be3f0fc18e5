"""From the database to the log, whatever dies in between."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.engine.commands import Hold
from sfc.errors import ProducerFailed
from sfc.ports import Partition, Record, TopicSpec, Transaction
from sfc.registry import Outbox, Registry
from sfc.wire.commands import decode_command
from sfc.wire.definitions import BlueprintHead, ClusterSettings, TaskHead, decode_definition
from sfc.wire.topics import Names, core_topics
from tests.contract.registries import Database

NAMES = Names("test")
SHARDS = 3
DEFINITIONS = Partition(NAMES.definitions, 0)


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


class Died(BaseException):
    """The process is gone."""


def _dies(*_args: Any) -> None:
    raise Died


def _fails() -> None:
    raise ProducerFailed("lost")


def last_heads(log: EmbeddedLog) -> dict[str, int]:
    """Current versions of tasks, as compaction would leave them."""
    definitions = [decode_definition(r.value or b"") for r in read(log, NAMES.definitions)]
    return {d.name: d.current for d in definitions if isinstance(d, TaskHead)}


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
    assert registry.definitions_end() == log.ends([DEFINITIONS])[DEFINITIONS]
    second = registry.deploy([documents.task("other")])[0].revision
    assert registry.published(first)
    assert not registry.published(second)
    assert not registry.published(second + 1)


def test_what_was_committed_before_a_kill_is_published_at_the_next_start(database: Database, log: EmbeddedLog, documents: Any) -> None:
    killed = database.open()
    killed.deploy([documents.task(), documents.blueprint()])
    killed.pause("order")
    # no step and no close: the process is gone
    reopened = database.open()
    assert Outbox(reopened, log, NAMES, SHARDS).step() == 6
    assert keys(log) == ["task:split:1", "task:split", "blueprint:order:1", "blueprint:order", "blueprint:order"]
    assert len(read(log, NAMES.commands, SHARDS)) == SHARDS
    assert reopened.published(3)


def test_a_kill_between_publishing_and_marking_repeats_the_same_records(
    registry: Registry, log: EmbeddedLog, documents: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.deploy([documents.task()])
    with monkeypatch.context() as killed:
        killed.setattr(registry, "mark_published", _dies)
        with pytest.raises(Died):
            Outbox(registry, log, NAMES, SHARDS).step()
    assert Outbox(registry, log, NAMES, SHARDS).step() == 2
    assert keys(log) == ["task:split:1", "task:split"] * 2
    values = [r.value for r in read(log, NAMES.definitions)]
    assert values[:2] == values[2:]


def test_a_failing_log_leaves_the_rows_for_the_next_step(
    registry: Registry, documents: Any, log: EmbeddedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.deploy([documents.task()])
    outbox = Outbox(registry, log, NAMES, SHARDS)

    def transaction(transactional_id: str) -> Transaction:
        made = EmbeddedLog.transaction(log, transactional_id)
        monkeypatch.setattr(made, "commit", _fails)
        return made

    with monkeypatch.context() as failing:
        failing.setattr(log, "transaction", transaction)
        with pytest.raises(ProducerFailed):
            outbox.step()
    assert keys(log) == []
    assert outbox.step() == 2
    assert keys(log) == ["task:split:1", "task:split"]


def test_a_gateway_that_stalls_before_its_commit_is_fenced_by_the_next(
    database: Database, log: EmbeddedLog, documents: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has lost its lock and does not know: what it read and sent is old when it wakes."""
    first, second = database.open(), database.open()
    first.deploy([documents.task(Comment="old")])
    stalling, other = Outbox(first, log, NAMES, SHARDS), Outbox(second, log, NAMES, SHARDS)
    began: list[int] = []

    def transaction(transactional_id: str) -> Transaction:
        made = EmbeddedLog.transaction(log, transactional_id)
        commit = made.commit

        def late() -> None:
            if not began:
                began.append(1)
                second.deploy([documents.task(Comment="new")])
                monkeypatch.setattr(second, "alone", lambda *_args: nullcontext(False))  # the lock does not come in time
                assert other.step() == 4
            commit()

        monkeypatch.setattr(made, "commit", late)
        return made

    monkeypatch.setattr(log, "transaction", transaction)
    assert stalling.step() == 0, "it was fenced, took the fence back, and all was published already"
    heads = [d for r in read(log, NAMES.definitions) if isinstance(d := decode_definition(r.value or b""), TaskHead)]
    assert [head.current for head in heads] == [1, 2]


def test_a_gateway_that_stalls_while_it_takes_the_fence_reads_afterwards(
    database: Database, log: EmbeddedLog, documents: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = database.open(), database.open()
    first.deploy([documents.task(Comment="old")])
    stalling, other = Outbox(first, log, NAMES, SHARDS), Outbox(second, log, NAMES, SHARDS)
    monkeypatch.setattr(second, "alone", lambda *_args: nullcontext(False))  # the lock does not come in time
    taken: list[str] = []

    def transaction(transactional_id: str) -> Transaction:
        taken.append(transactional_id)
        if len(taken) == 1:
            second.deploy([documents.task(Comment="new")])
            assert other.step() == 4
        return EmbeddedLog.transaction(log, transactional_id)

    monkeypatch.setattr(log, "transaction", transaction)
    stalling.step()
    assert taken == ["test-outbox"] * 2
    heads = [d for r in read(log, NAMES.definitions) if isinstance(d := decode_definition(r.value or b""), TaskHead)]
    assert [head.current for head in heads] == [1, 2]


def test_a_gateway_that_stalls_after_its_commit_does_not_publish_old_rows_again(
    database: Database, log: EmbeddedLog, documents: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = database.open(), database.open()
    stalling, other = Outbox(first, log, NAMES, SHARDS), Outbox(second, log, NAMES, SHARDS)
    first.deploy([documents.task(Comment="old")])
    mark = first.mark_published

    def late(last_id: int, definitions_end: int) -> None:
        second.deploy([documents.task(Comment="new")])
        monkeypatch.setattr(second, "alone", lambda *_args: nullcontext(False))
        other.step()
        mark(last_id, definitions_end)

    monkeypatch.setattr(first, "mark_published", late)
    stalling.step()
    assert last_heads(log) == {"split": 2}
    assert first.definitions_end() == log.ends([DEFINITIONS])[DEFINITIONS], "the late mark has not set it back"
    assert first.unpublished() == []


def test_gateways_that_edit_and_publish_at_once_leave_the_newest_definition_last(
    database: Database, log: EmbeddedLog, documents: Any
) -> None:
    def gateway(which: int) -> None:
        registry = database.open()
        outbox = Outbox(registry, log, NAMES, SHARDS)
        for n in range(15):
            registry.deploy([documents.task("shared", Comment=f"{which}-{n}"), documents.task(f"own-{which}", Comment=str(n))])
            if n % 3 == which:
                outbox.step()
        while outbox.step():
            pass
        outbox.close()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(gateway, range(2)))
    registry = database.open()
    assert registry.unpublished() == []
    assert last_heads(log) == {"shared": 30, "own-0": 15, "own-1": 15}
    assert {t.name: t.current for t in registry.tasks()} == last_heads(log)
    definitions = [decode_definition(r.value or b"") for r in read(log, NAMES.definitions)]
    revisions = [d.revision for d in definitions if isinstance(d, TaskHead)]
    assert set(revisions) == set(range(1, 61)), "every revision was published, none is missing"


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
