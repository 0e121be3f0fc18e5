"""The trigger role over the log in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.engine.commands import Start
from sfc.errors import ProducerFailed, TopicMismatch
from sfc.ports import Partition, Position, Record, TopicSpec
from sfc.runtime.definitions import Definitions
from sfc.runtime.trigger_start import place_trigger
from sfc.runtime.triggers import TriggerRole
from sfc.wire.commands import Received, decode_command
from sfc.wire.dead_letters import DeadLetter, decode_dead_letter
from sfc.wire.definitions import BlueprintHead, BlueprintVersion, Definition, SubjectHold, TriggerRecord, encode_definition, key_of
from sfc.wire.partition import partition_of
from sfc.wire.topics import Names, core_topics

NAMES = Names("t")
SHARDS = 4
ORDERS = TriggerRecord("uid1", "orders", "order_created", "$.order_id", "", "earliest", 1)
GROUP = NAMES.trigger_group("shop", "orders")


class World:
    """A log in memory with SFC's topics and one blueprint."""

    def __init__(self) -> None:
        self.log = EmbeddedLog.memory()
        self.log.create([TopicSpec(n, p, c) for n, (p, c) in core_topics(NAMES, SHARDS).items()])
        self.log.create([TopicSpec("order_created", 2)])
        self._producer = self.log.producer()
        self.definitions = Definitions(self.log, NAMES)
        self.revision = 0
        self.version(1)
        self.head()
        self._roles: list[TriggerRole] = []

    def define(self, definition: Definition) -> None:
        self._producer.send(NAMES.definitions, encode_definition(definition), key_of(definition).encode())
        while self.definitions.step(0):
            pass

    def version(self, number: int, group: str = "") -> None:
        self.define(BlueprintVersion("shop", number, f"hash{number}", {"Sfc": {"Group": group}} if group else {}))

    def hold(self, subject: str, *, held: bool) -> None:
        self.revision += 1
        self.define(SubjectHold(subject, self.revision, held))

    def head(self, *triggers: TriggerRecord, current: int = 1, status: str = "enabled") -> None:
        self.revision += 1
        self.define(BlueprintHead("shop", current, status, self.revision, triggers=list(triggers or (ORDERS,))))

    def role(self) -> TriggerRole:
        role = TriggerRole(self.log, NAMES, SHARDS, self.definitions)
        self._roles.append(role)
        role.step(0)
        return role

    def publish(self, value: Any, partition: int = 0, topic: str = "order_created") -> None:
        raw = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
        self._producer.send(topic, raw, b"k", [("trace", b"1")], partition)

    def read(self, topic: str) -> list[Record]:
        partitions = [Partition(topic, n) for n in range(self.log.topics()[topic])]
        reader = self.log.reader(dict.fromkeys(partitions, 0))
        try:
            return reader.take(100_000, 0)
        finally:
            reader.close()

    def commands(self) -> list[tuple[str, Received]]:
        return [((r.key or b"").decode(), decode_command(r.key, r.value, list(r.headers))) for r in self.read(NAMES.commands)]

    def starts(self) -> list[str]:
        return sorted(flow for flow, _ in self.commands())

    def letters(self) -> list[DeadLetter]:
        return [decode_dead_letter(r.key, r.value, list(r.headers)) for r in self.read(NAMES.dead_letters)]

    def committed(self) -> dict[Partition, Position]:
        return self.log.group_positions(GROUP)

    def close(self) -> None:
        for role in self._roles:
            role.close()
        self.definitions.close()
        self.log.close()


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def run(role: TriggerRole, steps: int = 4) -> None:
    for _ in range(steps):
        role.step(0.005)


def until(role: TriggerRole, done: Callable[[], object], steps: int = 600) -> None:
    for _ in range(steps):
        if done():
            return
        role.step(0.005)
    pytest.fail("it did not happen")


def test_a_record_becomes_a_start_on_the_shard_of_its_flow(world: World) -> None:
    role = world.role()
    world.publish({"order_id": "A1", "n": 1}, partition=1)
    run(role)
    [record] = world.read(NAMES.commands)
    assert record.key == b"shop:A1"
    assert record.partition == partition_of(b"shop:A1", SHARDS)
    [(_, received)] = world.commands()
    start = received.command
    assert isinstance(start, Start)
    assert (start.blueprint, start.version, start.hash, start.input) == ("shop", 1, "hash1", {"order_id": "A1", "n": 1})
    assert start.definitions == world.definitions.position
    assert start.origin is not None
    assert (start.origin.kind, start.origin.trigger, start.origin.topic, start.origin.partition, start.origin.offset) == (
        "topic", "orders", "order_created", 1, 0,
    )  # fmt: skip
    info = world.log.describe("order_created")
    assert info is not None
    assert received.source == f"trigger/uid1/{world.log.cluster_id()}/{info.id}/1"
    assert received.mark == (0, 0)


def test_without_a_path_the_place_of_the_record_names_the_flow(world: World) -> None:
    world.head(TriggerRecord("uid1", "orders", "order_created", "", "", "earliest", 1))
    role = world.role()
    world.publish({"a": 1})
    world.publish([1, 2])
    run(role)
    assert world.starts() == ["shop:order_created-0-0", "shop:order_created-0-1"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"not json", "not-json"),
        (b"", "not-json"),
        (None, "not-json"),
        (b"[" * 100_000, "not-json"),
        *((b'{"order_id":1,"x":' + b"[" * n + b"]" * n + b"}", "not-json") for n in (200, 960, 984, 986, 988, 990)),
        ({"other": 1}, "no-flow-id"),
        ({"order_id": None}, "no-flow-id"),
        ({"order_id": True}, "no-flow-id"),
        ({"order_id": {"a": 1}}, "no-flow-id"),
        ({"order_id": ""}, "no-flow-id"),
        ({"order_id": "A", "text": "x" * 262_144}, "too-large"),
    ],
)
def test_a_record_that_does_not_fit_becomes_a_dead_letter_and_the_rest_flows_on(world: World, value: Any, reason: str) -> None:
    role = world.role()
    world.publish(value)
    world.publish({"order_id": 7})
    run(role)
    [letter] = world.letters()
    assert (letter.reason, letter.topic, letter.partition, letter.offset, letter.key) == (reason, "order_created", 0, 0, b"k")
    info = world.log.describe("order_created")
    assert info is not None
    assert letter.id == f"{info.id}-0-0"
    assert ("trace", b"1") in letter.headers
    assert world.starts() == ["shop:7"]


def test_a_record_larger_than_the_command_topic_takes_is_a_dead_letter(world: World) -> None:
    world.log.create([TopicSpec("big", 1, {"max.message.bytes": str(64 << 20)})])
    world.head(TriggerRecord("uid2", "orders", "big", "", "", "earliest", 1))
    role = world.role()
    world.publish(b'"' + b"x" * (9 << 20) + b'"', topic="big")
    run(role)
    [letter] = world.letters()
    assert letter.reason == "too-large"
    assert letter.value is None
    assert "left out" in letter.detail


def test_white_space_does_not_count_against_the_limit(world: World) -> None:
    role = world.role()
    world.publish(b'{"order_id": "wide"' + b" " * 300_000 + b"}")
    run(role)
    assert world.starts() == ["shop:wide"]


def test_a_record_whose_condition_fails_is_skipped(world: World) -> None:
    world.head(TriggerRecord("uid1", "orders", "order_created", "$.order_id", "$.channel == 'tmall'", "earliest", 1))
    role = world.role()
    world.publish({"order_id": "A", "channel": "jd"})
    world.publish({"order_id": "B", "channel": "tmall"})
    run(role)
    assert world.starts() == ["shop:B"]
    assert world.letters() == []
    role.close()
    assert world.committed()[Partition("order_created", 0)].offset == 2


def test_offsets_are_committed_only_behind_what_the_log_has(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    role = world.role()
    world.publish({"order_id": "A"})

    def refuse() -> None:
        raise ProducerFailed("lost")

    with monkeypatch.context() as patch:
        patch.setattr(role._carrier._producer, "flush", refuse)
        with pytest.raises(ProducerFailed):
            run(role, 100)
        assert world.committed()[Partition("order_created", 0)].offset == 0
    until(role, lambda: world.committed()[Partition("order_created", 0)].offset == 1)


def test_a_successor_repeats_what_was_not_committed_with_the_same_source_and_mark(world: World) -> None:
    first = world.role()
    world.publish({"order_id": "A"})
    until(first, world.starts)
    first._triggers.clear()  # it dies: nothing is flushed, nothing committed
    assert world.committed()[Partition("order_created", 0)].offset == 0
    member = next(iter(world.log._broker._groups[GROUP].members))
    world.log._broker.leave(world.log._broker._groups[GROUP], member)
    second = world.role()
    until(second, lambda: len(world.starts()) == 2)
    (flow_a, a), (flow_b, b) = world.commands()
    assert (flow_a, a.source, a.mark) == (flow_b, b.source, b.mark)


def test_a_paused_blueprint_leaves_its_backlog_in_the_topic(world: World) -> None:
    role = world.role()
    world.publish({"order_id": "A"})
    run(role)
    for status in ("paused", "disabled"):
        world.head(status=status)
        run(role, 1)
        world.publish({"order_id": f"while-{status}"})
        run(role)
        assert world.starts() == ["shop:A"] if status == "paused" else world.starts() == ["shop:A", "shop:while-paused"]
        world.head()
        until(role, lambda status=status: f"shop:while-{status}" in world.starts())  # type: ignore[misc]
    assert len(world.starts()) == 3


def test_a_role_that_joins_while_the_blueprint_is_paused_waits(world: World) -> None:
    world.head(status="paused")
    world.publish({"order_id": "A"})
    role = world.role()
    run(role)
    assert world.starts() == []
    world.head()
    until(role, world.starts)


@pytest.mark.parametrize("subject", ["version:shop@2", "group:retail"])
def test_what_holds_the_current_version_leaves_its_backlog_in_the_topic(world: World, subject: str) -> None:
    role = world.role()
    world.version(2, group="retail")
    world.hold(subject, held=True)
    world.publish({"order_id": "A"})
    until(role, world.starts)  # version 1 is current, and none of its
    world.head(current=2)
    run(role, 1)
    world.publish({"order_id": "B"})
    run(role)
    assert world.starts() == ["shop:A"]
    world.hold(subject, held=False)
    until(role, lambda: world.starts() == ["shop:A", "shop:B"])


@pytest.mark.parametrize("subject", ["task:split", "version:shop@2", "group:food", "version:other@1"])
def test_holds_of_tasks_and_of_others_leave_the_triggers_alone(world: World, subject: str) -> None:
    world.version(3, group="retail")
    world.head(current=3)
    world.hold(subject, held=True)
    role = world.role()
    world.publish({"order_id": "A"})
    until(role, world.starts)


def test_starts_take_the_version_that_is_current(world: World) -> None:
    role = world.role()
    world.publish({"order_id": "A"})
    run(role)
    world.version(2)
    world.head(current=2)
    world.publish({"order_id": "B"})
    run(role)
    versions = {flow: r.command.version for flow, r in world.commands() if isinstance(r.command, Start)}
    assert versions == {"shop:A": 1, "shop:B": 2}


def test_an_edit_takes_effect_at_a_commit(world: World) -> None:
    role = world.role()
    world.publish({"order_id": "A", "no": "1"})
    until(role, world.starts)
    world.head(TriggerRecord("uid1", "orders", "order_created", "$.no", "", "earliest", 2))
    run(role, 1)
    position = world.committed()[Partition("order_created", 0)]
    assert position.offset == 1
    assert json.loads(position.metadata)["flow_id"] == "$.no"
    world.publish({"order_id": "B", "no": "2"})
    run(role)
    assert world.starts() == ["shop:2", "shop:A"]


def test_a_successor_uses_the_committed_definition_up_to_the_end_that_it_found(world: World) -> None:
    """EXACTLY-ONCE 5: what a predecessor may have carried over must be carried over alike, whatever was edited meanwhile."""
    first = world.role()
    run(first)
    first.close()
    for n in range(3):
        world.publish({"order_id": f"A{n}", "no": f"{n}"})
    world.head(TriggerRecord("uid1", "orders", "order_created", "$.no", "", "earliest", 2))
    second = world.role()
    run(second, 1)
    world.publish({"order_id": "late", "no": "9"})
    until(second, lambda: len(world.starts()) == 4)
    assert world.starts() == ["shop:9", "shop:A0", "shop:A1", "shop:A2"]
    second.close()
    assert json.loads(world.committed()[Partition("order_created", 0)].metadata)["revision"] == 2


def test_an_end_that_is_only_a_gap_does_not_keep_the_old_definition(world: World) -> None:
    first = world.role()
    run(first)
    first.close()
    transaction = world.log.transaction("shop")
    transaction.begin()
    transaction.send("order_created", b"{}", None, None, 0)
    transaction.abort()
    world.head(TriggerRecord("uid1", "orders", "order_created", "$.no", "", "earliest", 2))
    second = world.role()
    until(second, lambda: '"revision":2' in world.committed()[Partition("order_created", 0)].metadata)
    world.publish({"order_id": "A", "no": "1"})
    until(second, world.starts)
    assert world.starts() == ["shop:1"]


def test_where_the_deploy_placed_it_is_where_it_begins(world: World) -> None:
    trigger = TriggerRecord("uid3", "orders", "order_created", "$.order_id", "", "latest", 1)
    world.publish({"order_id": "before"})
    assert place_trigger(world.log, NAMES, "shop", trigger)
    world.publish({"order_id": "after"})
    assert place_trigger(world.log, NAMES, "shop", trigger)  # the next deploy moves nothing
    world.head(trigger)
    role = world.role()
    until(role, world.starts)
    assert world.starts() == ["shop:after"]
    assert place_trigger(world.log, NAMES, "shop", trigger)  # nor does it mind that it runs


def test_a_trigger_of_a_missing_topic_cannot_be_placed(world: World) -> None:
    assert not place_trigger(world.log, NAMES, "shop", TriggerRecord("uid3", "orders", "nowhere"))


def test_a_trigger_that_was_added_again_begins_where_from_says(world: World) -> None:
    role = world.role()
    world.publish({"order_id": "A"})
    until(role, world.starts)
    world.head(TriggerRecord("uid2", "orders", "order_created", "$.order_id", "", "earliest", 1))
    until(role, lambda: len(world.starts()) == 2)
    assert {r.source.split("/")[1] for _, r in world.commands()} == {"uid1", "uid2"}


def test_latest_is_the_end_when_it_joined_also_after_a_restart(world: World) -> None:
    world.publish({"order_id": "before"})
    world.head(TriggerRecord("uid1", "orders", "order_created", "$.order_id", "", "latest", 1))
    world.role().close()
    role = world.role()
    run(role)
    role.close()
    world.publish({"order_id": "between"})
    role = world.role()
    until(role, world.starts)
    assert world.starts() == ["shop:between"]


def test_new_triggers_join_and_removed_ones_leave(world: World) -> None:
    world.log.create([TopicSpec("returns", 1)])
    role = world.role()
    world.head(ORDERS, TriggerRecord("uid9", "returns", "returns", "$.id", "", "earliest", 1))
    world.publish({"id": "R1"}, topic="returns")
    world.publish({"order_id": "A1"})
    until(role, lambda: len(world.starts()) == 2)
    world.define(BlueprintHead("shop", 1, "enabled", 100, triggers=[]))
    world.publish({"order_id": "A2"})
    run(role)
    assert world.starts() == ["shop:A1", "shop:R1"]


def test_a_topic_that_comes_later_is_read_from_its_first_record(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.head(TriggerRecord("uid5", "orders", "not_yet", "$.id", "", "latest", 1))
    role = world.role()
    run(role)
    world.log.create([TopicSpec("not_yet", 1)])
    world.publish({"id": "first"}, topic="not_yet")
    until(role, world.starts)
    assert world.starts() == ["shop:first"]


def test_two_roles_share_the_partitions(world: World) -> None:
    one, two = world.role(), world.role()
    for _ in range(20):
        one.step(0.001)
        two.step(0.001)
    for n in range(20):
        world.publish({"order_id": f"A{n}"}, partition=n % 2)
    for _ in range(60):
        one.step(0.001)
        two.step(0.001)
    assert len(world.starts()) == len(set(world.starts())) == 20


def test_a_trigger_that_cannot_be_compiled_stops_no_other(world: World) -> None:
    world.head(TriggerRecord("bad", "bad", "order_created", "$..[", "", "earliest", 1), ORDERS)
    role = world.role()
    world.publish({"order_id": "A"})
    until(role, world.starts)
    assert world.starts() == ["shop:A"]


def test_an_input_topic_made_again_before_its_first_record_was_read_is_another_source(world: World) -> None:
    role = world.role()
    run(role)
    world.log.delete("order_created")
    world.log.create([TopicSpec("order_created", 2)])
    world.publish({"order_id": "a"})
    with pytest.raises(TopicMismatch):
        run(role)
    assert world.starts() == []
