"""The control topic over the log in memory: what it carries to flows, and what becomes a dead letter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.engine.commands import FlowCommand, Pause, Redrive, ReplyTo, Resume, Signal, Start, Stop
from sfc.errors import LogError, LogUnavailable, ProducerFailed
from sfc.ports import Partition, Record, TopicSpec
from sfc.runtime.control import ControlRole
from sfc.runtime.definitions import Definitions
from sfc.wire.commands import Received, decode_command
from sfc.wire.dead_letters import DeadLetter, decode_dead_letter
from sfc.wire.definitions import BlueprintHead, BlueprintVersion, encode_definition, key_of
from sfc.wire.partition import partition_of
from sfc.wire.topics import Names, core_topics

NAMES = Names("t")
SHARDS = 4


class World:
    def __init__(self) -> None:
        self.log = EmbeddedLog.memory()
        self.log.create([TopicSpec(n, p, c) for n, (p, c) in core_topics(NAMES, SHARDS).items()])
        self.producer = self.log.producer()
        self.definitions = Definitions(self.log, NAMES)
        self.role = ControlRole(self.log, NAMES, SHARDS, self.definitions)
        self.blueprint("enabled")

    def blueprint(self, status: str) -> None:
        document = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}, "Sfc": {"Name": "orders"}}
        for definition in (BlueprintVersion("orders", 1, "hash1", document), BlueprintHead("orders", 1, status, 1)):
            self.producer.send(NAMES.definitions, encode_definition(definition), key_of(definition).encode())
        while self.definitions.step(0):
            pass

    def ask(self, asked: Any, key: bytes = b"any") -> None:
        value = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
        self.producer.send(NAMES.control, value, key, partition=2)

    def run(self) -> None:
        for _ in range(5):
            self.role.step(0.002)

    def again(self) -> None:
        """A successor that begins at the topic's start: its predecessor had committed nothing."""
        self.role.close()
        self.log.set_group_positions(NAMES.control_group, {Partition(NAMES.control, n): _start() for n in range(SHARDS)})
        self.role = ControlRole(self.log, NAMES, SHARDS, self.definitions)
        self.run()

    def read(self, topic: str) -> list[Record]:
        reader = self.log.reader({Partition(topic, n): 0 for n in range(self.log.topics()[topic])})
        try:
            return reader.take(1_000, 0)
        finally:
            reader.close()

    def carried(self) -> list[tuple[str, Received]]:
        return [((r.key or b"").decode(), decode_command(r.key, r.value, list(r.headers))) for r in self.read(NAMES.commands)]

    def dead(self) -> list[DeadLetter]:
        return [decode_dead_letter(r.key, r.value, list(r.headers)) for r in self.read(NAMES.dead_letters)]


def _start() -> Any:
    from sfc.ports import Position

    return Position(0)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.role.close()


@pytest.mark.parametrize(
    ("asked", "command"),
    [
        ({"command": "pause", "flow": "orders:1", "reason": "why", "by": "me"}, Pause("why", "me")),
        ({"command": "resume", "flow": "orders:1"}, Resume()),
        ({"command": "stop", "flow": "orders:1", "error": "Gone", "cause": "sold out"}, Stop("Gone", "sold out")),
        ({"command": "redrive", "flow": "orders:1"}, Redrive("t.control-2-0")),
        ({"command": "redrive", "flow": "orders:1", "input": None}, Redrive("t.control-2-0", None, True)),
        ({"command": "signal", "flow": "orders:1", "name": "paid", "output": {"n": 1}}, Signal("paid", {"n": 1})),
        ({"command": "signal", "flow": "orders:1", "name": "paid"}, Signal("paid")),
        (
            {"command": "signal", "flow": "orders:1", "name": "paid", "error": "No", "cause": "why", "by": "me"},
            Signal("paid", None, "No", "why", "me"),
        ),
        (
            {"command": "pause", "flow": "orders:1", "reply": {"topic": "t.replies", "key": "k", "id": "7"}},
            Pause(reply=ReplyTo("t.replies", "k", "7")),
        ),
    ],
)
def test_a_command_reaches_its_flow(world: World, asked: dict[str, Any], command: FlowCommand) -> None:
    world.ask(asked)
    world.run()
    ((key, received),) = world.carried()
    assert key == "orders:1"
    assert received.command == command
    assert received.mark == (0, 0)


def test_a_start_takes_the_current_version_and_the_chosen_id(world: World) -> None:
    world.ask({"command": "start", "blueprint": "orders", "input": {"n": 1}, "id": "A1"})
    world.ask({"command": "start", "blueprint": "orders"})
    world.run()
    found = {key: received.command for key, received in world.carried()}
    assert found.keys() == {"orders:A1", "orders:t.control-2-1"}
    chosen, other = found["orders:A1"], found["orders:t.control-2-1"]
    assert isinstance(chosen, Start)
    assert isinstance(other, Start)
    assert (chosen.version, chosen.hash, chosen.input, chosen.keep_id) == (1, "hash1", {"n": 1}, True)
    assert (other.input, other.keep_id) == ({}, False)


def test_a_record_that_is_read_again_carries_the_same_source_and_mark(world: World) -> None:
    world.ask({"command": "start", "blueprint": "orders"})
    world.run()
    world.again()
    first, second = world.carried()
    assert first == second
    assert first[1].source.startswith("control/")


def test_commands_of_one_flow_stay_in_their_order_and_on_its_shard(world: World) -> None:
    for command in ("pause", "resume", "stop"):
        world.ask({"command": command, "flow": "orders:9"})
    world.run()
    records = world.read(NAMES.commands)
    assert {r.partition for r in records} == {partition_of(b"orders:9", SHARDS)}
    assert [type(received.command) for _, received in world.carried()] == [Pause, Resume, Stop]


@pytest.mark.parametrize(
    ("asked", "reason", "word"),
    [
        ({"command": "signal", "flow": "orders:1", "name": ""}, "bad-control", "a signal has a name"),
        ({"command": "signal", "flow": "orders:1", "name": "a", "output": 1, "error": "E"}, "bad-control", "both came"),
        ({"command": "signal", "flow": "orders:1", "name": "a", "cause": "E"}, "bad-control", "which is missing"),
        (b"{nothing", "bad-control", "JSON"),
        (b"", "bad-control", "JSON"),
        (b'{"command": "stop", "flow": "\xff\xfe"}', "bad-control", "utf-8"),
        (b'{"command":"start","blueprint":"orders","input":' + b"[" * 201 + b"]" * 201 + b"}", "bad-control", "200 levels"),
        ({"command": "explode", "flow": "orders:1"}, "bad-control", "explode"),
        ({"command": "stop"}, "bad-control", "flow"),
        ({"command": "stop", "flow": "orders:1", "reason": "x"}, "bad-control", "reason"),
        ({"command": "stop", "flow": ""}, "bad-flow-id", "is no flow's id"),
        ({"command": "redrive", "flow": ""}, "bad-flow-id", "is no flow's id"),
        ({"command": "signal", "flow": "", "name": "go"}, "bad-flow-id", "is no flow's id"),
        ({"command": "stop", "flow": ":x"}, "bad-flow-id", "is no flow's id"),
        ({"command": "pause", "flow": ":x"}, "bad-flow-id", "is no flow's id"),
        ({"command": "pause", "blueprint": "orders", "by": "b" * 1001}, "bad-control", "the text of by takes up to 1000 characters"),
        ({"command": "signal", "flow": "orders:1", "name": "n" * 1001}, "bad-control", "the text of name"),
        ({"command": "pause"}, "bad-control", "none came"),
        ({"command": "pause", "flow": "orders:1", "group": "shop"}, "bad-control", "flow and group"),
        ({"command": "pause", "task": "split", "version": 2}, "bad-control", "version"),
        ({"command": "pause", "flow": "no id"}, "bad-flow-id", "no id"),
        ({"command": "pause", "flow": "orders:"}, "bad-flow-id", "orders:"),
        ({"command": "start", "blueprint": "order"}, "unknown-blueprint", "orders"),
        ({"command": "stop", "flow": "orders:1", "reply": {"topic": "nowhere"}}, "no-reply-topic", "nowhere"),
        ({"command": "stop", "flow": "orders:1", "reply": {"topic": NAMES.state, "key": "/shard/0"}}, "own-reply-topic", "t.state"),
        ({"command": "start", "blueprint": "orders", "reply": {"topic": NAMES.definitions}}, "own-reply-topic", "t.definitions"),
    ],
)
def test_what_can_not_be_carried_out_is_a_dead_letter(world: World, asked: Any, reason: str, word: str) -> None:
    world.ask(asked, key=b"mine")
    world.ask({"command": "pause", "flow": "orders:1"})
    world.run()
    (letter,) = world.dead()
    assert (letter.reason, letter.topic, letter.partition, letter.offset, letter.key) == (reason, NAMES.control, 2, 0, b"mine")
    assert word in letter.detail
    assert len(world.carried()) == 1, "what came behind it goes on"


def test_a_start_of_a_disabled_blueprint_is_a_dead_letter(world: World) -> None:
    world.blueprint("disabled")
    world.ask({"command": "start", "blueprint": "orders"})
    world.run()
    assert [letter.reason for letter in world.dead()] == ["not-possible"]
    assert not world.carried()


def test_commands_on_blueprints_are_left_to_the_registry(world: World) -> None:
    for subject in ({"blueprint": "orders"}, {"blueprint": "orders", "version": 1}, {"task": "split"}, {"group": "shop"}):
        world.ask({"command": "pause", **subject})
    world.run()
    assert not world.carried()
    assert not world.dead()


def test_offsets_are_committed_only_when_the_log_has_the_commands(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.ask({"command": "pause", "flow": "orders:1"})

    def lost() -> None:
        raise ProducerFailed("nothing was acknowledged")

    monkeypatch.setattr(world.role._carrier, "flush", lost)
    with pytest.raises(ProducerFailed):
        world.run()
    assert not world.log.group_positions(NAMES.control_group)


def test_a_reply_topic_that_may_not_be_asked_for_holds_up_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(topic: str) -> None:
        raise LogError(f"Kafka refused to describe {topic}: authorization failed")

    monkeypatch.setattr(world.log, "describe", refused)
    world.ask({"command": "stop", "flow": "orders:1", "reply": {"topic": "verdicts"}})
    world.ask({"command": "pause", "flow": "orders:1"})
    world.run()
    (letter,) = world.dead()
    assert (letter.reason, len(world.carried())) == ("no-reply-topic", 1)
    assert "authorization failed" in letter.detail


def test_a_log_that_is_away_makes_no_dead_letters(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(topic: str) -> None:
        raise LogUnavailable("nobody answers")

    world.ask({"command": "stop", "flow": "orders:1", "reply": {"topic": "verdicts"}})
    monkeypatch.setattr(world.log, "describe", away)
    with pytest.raises(LogUnavailable):
        world.run()
    assert not world.dead()
