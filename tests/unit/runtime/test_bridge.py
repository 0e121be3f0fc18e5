"""The reply bridge over the log in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.engine.commands import AnswerByKey, Command, Complete, Fail, Heartbeat
from sfc.engine.effects import DispatchJob
from sfc.engine.program import Target
from sfc.errors import ProducerFailed
from sfc.ports import Partition, Record, TopicSpec
from sfc.runtime.bridge import BridgeRole
from sfc.runtime.definitions import Definitions
from sfc.wire import headers
from sfc.wire.commands import decode_command
from sfc.wire.dead_letters import DeadLetter, decode_dead_letter
from sfc.wire.definitions import TaskVersion, encode_definition, key_of
from sfc.wire.jobs import job_headers
from sfc.wire.partition import partition_of
from sfc.wire.topics import Names, core_topics

NAMES = Names("t")
SHARDS = 4
TOPIC = "split_done"
TOKEN = "shop:7/12/3/abc"


class World:
    def __init__(self) -> None:
        self.log = EmbeddedLog.memory()
        self.log.create([TopicSpec(n, p, c) for n, (p, c) in core_topics(NAMES, SHARDS).items()])
        self.log.create([TopicSpec(TOPIC, 2)])
        self.producer = self.log.producer()
        self.definitions = Definitions(self.log, NAMES)
        self.role = BridgeRole(self.log, NAMES, SHARDS, self.definitions)

    def task(self, correlate: Any, version: int = 1, topic: str = TOPIC) -> None:
        document = {"Name": "split", "Kafka": {"Topic": "split", "ReplyTopic": topic, "Correlate": correlate}}
        definition = TaskVersion("split", version, f"hash{version}", document)
        self.producer.send(NAMES.definitions, encode_definition(definition), key_of(definition).encode())
        while self.definitions.step(0):
            pass

    def reply(self, value: bytes | None, key: bytes | None = b"any", topic: str = TOPIC, **head: str) -> None:
        named = [(f"sfc-{name}", text.encode()) for name, text in head.items()]
        self.producer.send(topic, value, key, named, 1 if topic == TOPIC else 0)

    def run(self, steps: int = 5) -> None:
        for _ in range(steps):
            self.role.step(0.002)

    def read(self, topic: str) -> list[Record]:
        reader = self.log.reader({Partition(topic, n): 0 for n in range(self.log.topics()[topic])})
        try:
            return reader.take(1_000, 0)
        finally:
            reader.close()

    def commands(self) -> list[tuple[bytes, Command]]:
        return [(r.key or b"", decode_command(r.key, r.value, list(r.headers)).command) for r in self.read(NAMES.commands)]

    def letters(self) -> list[DeadLetter]:
        return [decode_dead_letter(r.key, r.value, list(r.headers)) for r in self.read(NAMES.dead_letters)]

    def committed(self) -> dict[Partition, int]:
        return {p: x.offset for p, x in self.log.group_positions(NAMES.bridge_group("split")).items()}


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.role.close()
    world.definitions.close()
    world.log.close()


def test_an_answer_with_its_jobs_headers_becomes_a_command_of_its_flow(world: World) -> None:
    world.task({"Header": "sfc-job"})
    world.reply(b'{"parcels": 2}', key=b"the service's own", job=TOKEN)
    world.run()
    assert world.commands() == [(b"shop:7", Complete(TOKEN, {"parcels": 2}))]
    [record] = world.read(NAMES.commands)
    assert record.partition == partition_of(b"shop:7", SHARDS)
    received = decode_command(record.key, record.value, list(record.headers))
    info = world.log.describe(TOPIC)
    assert info is not None
    assert (received.source, received.mark) == (f"bridge/split/{info.id}/1", (0, 0))
    assert world.committed() == {Partition(TOPIC, 1): 1}


def test_errors_and_signs_of_life_come_over_too(world: World) -> None:
    world.task({"Header": "sfc-job"})
    world.reply(b"", job=TOKEN, error="Busy", cause="later")
    world.reply(b"", job=TOKEN, heartbeat="1")
    world.run()
    assert [c for _, c in world.commands()] == [Fail(TOKEN, "Busy", "later"), Heartbeat(TOKEN)]


def test_the_token_may_come_back_in_a_header_of_another_name(world: World) -> None:
    """A job carries the header that its task names, and an answer with it finds its flow."""
    target = Target("task:split@1", "task", "split", TOPIC, "header", "x-correlation")
    job = DispatchJob(TOKEN, "shop:7", "shop", 1, "Split", target, b"{}", 1, 0)
    head = dict(job_headers(job, TOPIC, None))
    assert head["x-correlation"] == TOKEN.encode()
    world.task({"Header": "x-correlation"})
    world.producer.send(TOPIC, b"1", None, [("x-correlation", head["x-correlation"])], 0)
    world.run()
    assert world.commands() == [(b"shop:7", Complete(TOKEN, 1))]


def test_an_answer_may_find_its_flow_by_its_key(world: World) -> None:
    world.task("Key")
    world.reply(b"5", key=b"shop:9")
    world.reply(b"", key=b"shop:9", error="Busy")
    world.reply(b"{", key=b"shop:9")
    world.run()
    (key, complete), (_, failed), (_, broken) = world.commands()
    assert (key, complete) == (b"shop:9", AnswerByKey("split", 5))
    assert isinstance(failed, AnswerByKey)
    assert (failed.failed, failed.error) == (True, "Busy")
    assert isinstance(broken, AnswerByKey)
    assert (broken.failed, broken.error) == (True, "States.Runtime")
    assert [letter.reason for letter in world.letters()] == ["not-json"]


@pytest.mark.parametrize("token", ["", "nonsense", "shop:7/x/3/abc", "shop:7/12/3"])
def test_a_token_that_makes_no_sense_is_a_dead_letter(world: World, token: str) -> None:
    world.task({"Header": "sfc-job"})
    world.reply(b"1", job=token)
    world.reply(b"2", job=TOKEN)
    world.run()
    [letter] = world.letters()
    assert (letter.reason, letter.topic, letter.partition, letter.offset) == ("unknown-token", TOPIC, 1, 0)
    assert world.commands() == [(b"shop:7", Complete(TOKEN, 2))]


@pytest.mark.parametrize("key", [b"\xff\xfe", b"/shard/0", b"a b", b"x" * 300])
def test_a_key_that_can_be_no_flow_is_a_dead_letter(world: World, key: bytes) -> None:
    world.task("Key")
    world.reply(b"1", key=key)
    world.reply(b"2", key=b"shop:7")
    world.run()
    assert [letter.reason for letter in world.letters()] == ["bad-flow-id"]
    assert [flow for flow, _ in world.commands()] == [b"shop:7"]


@pytest.mark.parametrize("value", [b"{", *(b"[" * n + b"]" * n for n in (201, 980, 988, 990, 993, 100_000))])
def test_an_answer_that_is_no_json_is_a_dead_letter_and_fails_its_attempt(world: World, value: bytes) -> None:
    world.task({"Header": "sfc-job"})
    world.reply(value, job=TOKEN)
    world.run()
    [(_, command)] = world.commands()
    assert isinstance(command, Fail)
    assert (command.token, command.error) == (TOKEN, "States.Runtime")
    assert [letter.reason for letter in world.letters()] == ["not-json"]


def test_offsets_are_committed_only_behind_what_the_log_has(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.task({"Header": "sfc-job"})

    def refuse() -> None:
        raise ProducerFailed("lost")

    monkeypatch.setattr(world.role._carrier._producer, "flush", refuse)
    world.reply(b"1", job=TOKEN)
    with pytest.raises(ProducerFailed):
        world.run(100)
    assert world.committed() == {}


def test_a_reply_topic_that_comes_later_is_joined_then(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfc.runtime.bridge.RETRY_S", 0.0)
    world.task({"Header": "sfc-job"}, topic="later")
    world.run()
    world.log.create([TopicSpec("later", 1)])
    world.reply(json.dumps("x").encode(), topic="later", job=TOKEN)
    world.run()
    assert world.commands() == [(b"shop:7", Complete(TOKEN, "x"))]


class Remade:
    """The log as it is seen when ``split_done`` is deleted and made again while the bridge runs: another id, offsets from 0."""

    def __init__(self, log: EmbeddedLog) -> None:
        self.log = log
        self.now = TOPIC

    def __getattr__(self, name: str) -> Any:
        return getattr(self.log, name)

    def describe(self, topic: str) -> Any:
        return self.log.describe(self.now if topic == TOPIC else topic)

    def consumer(self, group: str, topics: list[str]) -> Any:
        return RemadeConsumer(self, group)


class RemadeConsumer:
    """A consumer that stays subscribed by the topic's name."""

    def __init__(self, log: Remade, group: str) -> None:
        self._log = log
        self._group = group
        self._of: dict[str, Any] = {}

    def take(self, records_max: int, timeout_s: float) -> list[Record]:
        now = self._log.now
        if now not in self._of:
            self._of[now] = self._log.log.consumer(f"{self._group}.{now}", [now])
        return [r._replace(topic=TOPIC) for r in self._of[now].take(records_max, timeout_s)]

    def commit(self, positions: object) -> None: ...

    def close(self) -> None:
        for consumer in self._of.values():
            consumer.close()


@pytest.mark.parametrize("seen_by", ["offsets", "looking"])
def test_a_reply_topic_that_was_made_anew_is_another_source(world: World, seen_by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its offsets begin again: as marks of the old one, its answers would be taken for repetitions."""
    remade = Remade(world.log)
    world.log.create([TopicSpec("again", 2)])
    world.role.close()
    world.role = BridgeRole(remade, NAMES, SHARDS, world.definitions)  # type: ignore[arg-type]
    world.task("Key")
    if seen_by == "looking":
        world.role._look_s = 0.0
        monkeypatch.setattr("sfc.runtime.bridge.LOOK_AGAIN_S", 0.0)
    for n in range(3 if seen_by == "offsets" else 0):
        world.reply(b"%d" % n, key=b"shop:7")
    world.run()
    remade.now = "again"
    for n in range(2):
        world.producer.send("again", b"%d" % n, b"shop:8", None, 1)
    world.run(10)
    sources = [headers.text(r.headers, headers.SOURCE) for r in world.read(NAMES.commands) if r.key == b"shop:8"]
    info = world.log.describe("again")
    assert info is not None
    assert sources == [f"bridge/split/{info.id}/1"] * 2


def test_older_versions_may_still_have_jobs_open(world: World) -> None:
    world.log.create([TopicSpec("new_done", 1)])
    world.task({"Header": "sfc-job"}, 1)
    world.task({"Header": "sfc-job"}, 2, "new_done")
    world.reply(b"1", job=TOKEN)
    world.reply(b"2", job=TOKEN, topic="new_done")
    world.run()
    assert sorted(c.output for _, c in world.commands() if isinstance(c, Complete)) == [1, 2]


@pytest.mark.parametrize("correlate", ["Key", {"Header": "sfc-job"}])
def test_an_answer_that_no_command_can_hold_fails_its_attempt(world: World, correlate: Any) -> None:
    world.log.create([TopicSpec("big", 1, {"max.message.bytes": str(64 << 20)})])
    world.task(correlate, topic="big")
    world.reply(b'"' + b"x" * (9 << 20) + b'"', key=b"shop:7", topic="big", job=TOKEN)
    world.run()
    [(key, command)] = world.commands()
    assert key == b"shop:7"
    assert isinstance(command, (Fail, AnswerByKey))
    assert command.error == "States.DataLimitExceeded"
    assert [letter.reason for letter in world.letters()] == ["too-large"]


def test_headers_of_a_job_are_named_as_the_contract_says() -> None:
    assert (headers.JOB, headers.ERROR, headers.CAUSE, headers.HEARTBEAT) == ("sfc-job", "sfc-error", "sfc-cause", "sfc-heartbeat")
