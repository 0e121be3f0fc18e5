"""The control topic's commands on what the registry keeps, over the log in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.ports import Partition, TopicSpec
from sfc.registry import Registry
from sfc.registry.control import RegistryControl
from sfc.registry.holds import Holds
from sfc.wire.dead_letters import DeadLetter, decode_dead_letter
from sfc.wire.topics import RECORD_BYTES_MAX, Names, core_topics
from tests.contract.registries import Documents

NAMES = Names("t")


class World:
    def __init__(self, registry: Registry, documents: Documents) -> None:
        self.log = EmbeddedLog.memory()
        self.log.create([TopicSpec(n, p, c) for n, (p, c) in core_topics(NAMES, 2).items()])
        self.kicks = 0
        self.registry = registry
        registry.deploy([documents.task(), documents.blueprint(Group="shop")])
        self.role = RegistryControl(self.log, NAMES, registry, self._kick)
        self._producer = self.log.producer()

    def _kick(self) -> None:
        self.kicks += 1

    def ask(self, **asked: Any) -> None:
        self._producer.send(NAMES.control, json.dumps(asked).encode(), b"k")
        for _ in range(3):
            self.role.step(0.002)

    def held(self) -> list[str]:
        return [hold.subject for hold in Holds(self.registry).all()]

    def dead(self) -> list[DeadLetter]:
        reader = self.log.reader({Partition(NAMES.dead_letters, 0): 0})
        try:
            return [decode_dead_letter(r.key, r.value, list(r.headers)) for r in reader.take(100, 0)]
        finally:
            reader.close()


@pytest.fixture
def world(registry: Registry, documents: Documents) -> Iterator[World]:
    made = World(registry, documents)
    yield made
    made.role.close()


@pytest.mark.parametrize(
    ("subject", "named"),
    [
        ({"blueprint": "order"}, "blueprint:order"),
        ({"blueprint": "order", "version": 1}, "version:order@1"),
        ({"task": "split"}, "task:split"),
        ({"group": "shop"}, "group:shop"),
    ],
)
def test_a_subject_is_paused_and_resumed(world: World, subject: dict[str, Any], named: str) -> None:
    world.ask(command="pause", reason="stocktaking", by="me", **subject)
    assert world.held() == [named]
    assert [(h.reason, h.by) for h in Holds(world.registry).all()] == [("stocktaking", "me")]
    world.ask(command="resume", **subject)
    assert world.held() == []
    assert world.kicks == 2, "the outbox is told"
    assert not world.dead()


def test_a_name_that_nobody_knows_is_a_dead_letter(world: World) -> None:
    world.ask(command="pause", blueprint="ordre")
    world.ask(command="pause", task="split")
    (letter,) = world.dead()
    assert (letter.reason, letter.topic) == ("unknown-name", NAMES.control)
    assert "order" in letter.detail, "and it says which one might be meant"
    assert world.held() == ["task:split"], "what came behind it is carried out"


def test_commands_on_flows_and_malformed_ones_are_left_to_the_trigger_role(world: World) -> None:
    world.ask(command="pause", flow="order:1")
    world.ask(command="start", blueprint="order")
    world.ask(command="nonsense")
    assert not world.dead()
    assert not world.held()
    assert world.kicks == 0


def test_a_record_that_is_too_large_as_a_dead_letter_stops_nothing(world: World) -> None:
    world.ask(command="pause", blueprint="nowhere", reason="x" * (RECORD_BYTES_MAX - 200))
    world.ask(command="pause", task="split")
    (letter,) = world.dead()
    assert letter.value is None
    assert "left out" in letter.detail
    assert world.held() == ["task:split"]
