"""Topic triggers on a real Kafka."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from uuid import uuid4

from sfc.adapters.kafka import KafkaLog
from sfc.ports import Partition, TopicSpec
from sfc.runtime.definitions import Definitions
from sfc.runtime.trigger_start import place_trigger
from sfc.runtime.triggers import TriggerRole
from sfc.wire.commands import decode_command
from sfc.wire.definitions import BlueprintHead, BlueprintVersion, Definition, TriggerRecord, encode_definition, key_of
from sfc.wire.topics import Names, core_topics


def test_what_comes_after_the_deploy_starts_one_flow_each_over_pause_edit_and_handover(kafka: str) -> None:
    log = KafkaLog({"bootstrap.servers": kafka}, replication=1)
    names = Names(f"t{uuid4().hex[:8]}")
    topic = f"{names.namespace}.orders"
    log.create([TopicSpec(n, p, c) for n, (p, c) in core_topics(names, 4).items()] + [TopicSpec(topic, 2)])
    producer = log.producer()
    definitions = Definitions(log, names)

    def define(*parts: Definition) -> None:
        for part in parts:
            producer.send(names.definitions, encode_definition(part), key_of(part).encode())
        producer.flush()
        end = log.ends([Partition(names.definitions, 0)])[Partition(names.definitions, 0)]
        while definitions.position < end:
            definitions.step(0.05)

    def publish(first: int, last: int) -> None:
        for n in range(first, last):
            producer.send(topic, json.dumps({"id": f"A{n}", "no": n}).encode(), partition=n % 2)
        producer.flush()

    reader = log.reader({Partition(names.commands, n): 0 for n in range(4)})
    seen: list[tuple[str, tuple[int, ...]]] = []

    def starts() -> list[str]:
        for record in reader.take(1_000, 0.01):
            received = decode_command(record.key, record.value, list(record.headers))
            seen.append((received.source, received.mark))
            flows.append((record.key or b"").decode())
        return flows

    flows: list[str] = []

    def until(done: Callable[[], bool], *roles: TriggerRole) -> None:
        deadline = time.monotonic() + 60
        while not done():
            for role in roles:
                role.step(0.02)
            assert time.monotonic() < deadline, f"{len(flows)} starts"

    trigger = TriggerRecord("uid1", "orders", topic, "$.id", "", "latest", 1)
    publish(1_000, 1_004)  # before the deploy
    assert place_trigger(log, names, "shop", trigger)
    define(BlueprintVersion("shop", 1, "hash1", {}), BlueprintHead("shop", 1, "enabled", 1, triggers=[trigger]))
    publish(0, 20)
    first = TriggerRole(log, names, 4, definitions)
    until(lambda: len(starts()) == 20, first)

    define(BlueprintHead("shop", 1, "paused", 2, triggers=[trigger]))
    first.step(0.02)
    publish(20, 40)
    quiet = time.monotonic() + 0.5
    until(lambda: time.monotonic() > quiet, first)
    assert len(starts()) == 20
    define(BlueprintHead("shop", 1, "enabled", 3, triggers=[trigger]))
    until(lambda: len(starts()) == 40, first)

    first.close()
    publish(40, 60)
    edited = TriggerRecord("uid1", "orders", topic, "$.no", "", "latest", 2)
    define(BlueprintHead("shop", 1, "enabled", 4, triggers=[edited]))
    second = TriggerRole(log, names, 4, definitions)
    until(lambda: len(starts()) == 60, second)  # these may have been carried over by the first: they are read as it would have
    publish(60, 80)
    until(lambda: len(starts()) == 80, second)
    second.close()

    assert sorted(flows) == sorted([f"shop:A{n}" for n in range(60)] + [f"shop:{n}" for n in range(60, 80)])
    assert len(set(seen)) == 80
    positions = log.group_positions(names.trigger_group("shop", "orders"))
    assert positions.keys() == {Partition(topic, 0), Partition(topic, 1)}
    assert {p.offset for p in positions.values()} == {42}
    assert all('"revision":2' in p.metadata for p in positions.values())
    reader.close()
    definitions.close()
    producer.close()
    log.close()
