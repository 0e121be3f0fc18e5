"""What is too large, too deep or no JSON, at every door, on a real Kafka: each has a clear end, and no partition stands still."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from sfc.adapters.clock import SystemClock
from sfc.adapters.kafka import KafkaLog
from sfc.adapters.lmdb_store import LmdbStore
from sfc.engine.commands import ReplyTo, Signal, Start, Stop
from sfc.errors import LogError, RecordTooLarge
from sfc.ports import Partition, Record, TopicSpec
from sfc.runtime.bridge import BridgeRole
from sfc.runtime.control import ControlRole
from sfc.runtime.definitions import Definitions
from sfc.runtime.lane import Lane
from sfc.runtime.triggers import TriggerRole
from sfc.wire import headers
from sfc.wire.commands import encode_command
from sfc.wire.definitions import BlueprintHead, BlueprintVersion, Definition, TaskVersion, TriggerRecord, encode_definition, key_of
from sfc.wire.partition import partition_of
from sfc.wire.replies import Answer, decode_answer
from sfc.wire.topics import RECORD_BYTES_MAX, Names, core_topics
from tests.poison import DOUBLE, POISON, plant

SHARDS = 2
SMALL_BYTES = 20_000  # max.message.bytes of the topics whose limit is tried
SHARES = (0.9, 1.0, 1.1)  # of a limit
OWN_BYTES = 1_000  # what a record has beside its value: headers, key, and the batch around it


def task(resource: str, **more: Any) -> dict[str, Any]:
    return {"StartAt": "S", "States": {"S": {"Type": "Task", "Resource": resource, "End": True, **more}}}


BRANCHES = (12, 14, 16)  # each with 256 KiB, as the flow and the Parallel: 0.9, 1.0 and 1.1 times what a flow's state may have


def wide(branches: int) -> dict[str, Any]:
    """As many branches, each of which waits with the whole input."""
    wait = {"Type": "Task", "Resource": "signal:go", "End": True}
    each = [{"StartAt": f"W{n}", "States": {f"W{n}": wait}} for n in range(branches)]
    return {"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": each, "End": True}}}


class Site:
    """A lane, triggers, a bridge and the control topic's role, stepped by the test; the test plays the services."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.names = Names(f"limits-{uuid4().hex[:8]}")
        self.log = KafkaLog({"bootstrap.servers": bootstrap})
        own = self.names.namespace
        self.orders, self.small, self.done = f"{own}.orders", f"{own}.small", f"{own}.done"
        self.log.create([TopicSpec(n, p, c) for n, (p, c) in core_topics(self.names, SHARDS).items()])
        larger = {"max.message.bytes": str(2 * RECORD_BYTES_MAX)}
        self.log.create([TopicSpec(self.orders, 1, larger), TopicSpec(self.done, 1, larger), TopicSpec(self.names.task("echo"), 1)])
        self.log.create([TopicSpec(self.small, 1, {"max.message.bytes": str(SMALL_BYTES)})])
        self.producer = KafkaLog({"bootstrap.servers": bootstrap, "message.max.bytes": str(2 * RECORD_BYTES_MAX)}).producer()
        asks = {"Kafka": {"Topic": self.names.task("echo"), "ReplyTopic": self.done}}
        once = {"Kafka": {"Topic": self.small}, "Delivery": "at-least-once"}
        self.define(
            TaskVersion("echo", 1, "h", {"Name": "echo"}),
            TaskVersion("asks", 1, "h", {"Name": "asks", **asks}),
            TaskVersion("once", 1, "h", {"Name": "once", **once}),
            BlueprintVersion("pass", 1, "h", {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}),
            BlueprintVersion("echo", 1, "h", task("task:echo@1")),
            BlueprintVersion("asks", 1, "h", task("task:asks@1")),
            BlueprintVersion("once", 1, "h", task("task:once@1")),
            BlueprintVersion("tell", 1, "h", task(f"topic:{self.small}")),
            BlueprintVersion("double", 1, "h", {"StartAt": "P", "States": {"P": DOUBLE}}),
            *(BlueprintVersion(f"wide-{n}", 1, "h", wide(n)) for n in BRANCHES),
            BlueprintVersion("sign", 1, "h", task("signal:go")),
            BlueprintHead("pass", 1, "enabled", 1, triggers=[TriggerRecord("u1", "in", self.orders, "", "", "earliest", 1)]),
            BlueprintHead("sign", 1, "enabled", 1),
        )
        self.definitions = Definitions(self.log, self.names)
        self.definitions.load()
        self.jobs = self.log.reader({Partition(self.names.task("echo"), 0): 0})
        self.replies = self.log.reader({Partition(self.names.replies, 0): 0})
        self.answers: list[Answer] = []
        self.lane = Lane(self.log, self.names, SHARDS, Definitions(self.log, self.names), LmdbStore(folder), SystemClock())
        self.until(lambda: self.lane.ready)
        self.roles: list[Any] = []
        self.restarts = REGISTRY.get_sample_value("sfc_lane_restarts_total")

    def with_role(self, role: type[TriggerRole] | type[ControlRole] | type[BridgeRole]) -> None:
        self.roles.append(role(self.log, self.names, SHARDS, self.definitions))

    def define(self, *definitions: Definition) -> None:
        for definition in definitions:
            self.producer.send(self.names.definitions, encode_definition(definition), key_of(definition).encode(), None, 0)
        self.producer.flush()

    def until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not done():
            assert time.monotonic() < deadline, f"it did not come to that in time: {self.answers}, {self.lane.stopped}"
            self.step()

    def step(self) -> None:
        self.lane.step(0.02)
        for role in getattr(self, "roles", ()):
            role.step(0.02)
        self.answers += [decode_answer(r.value or b"") for r in self.replies.take(100, 0)]

    def start(self, flow: str, given: object) -> None:
        value, head = encode_command(Start(flow.partition(":")[0], 1, "h", given, wait=ReplyTo(self.names.replies, "t", flow)))
        self.command(flow, value, head)

    def command(self, flow: str, value: bytes, head: list[tuple[str, bytes]]) -> None:
        self.producer.send(self.names.commands, value, flow.encode(), head, partition_of(flow.encode(), SHARDS))
        self.producer.flush()

    def job(self) -> Record:
        found: list[Record] = []

        def there() -> bool:
            found.extend(self.jobs.take(1, 0.01))
            return bool(found)

        self.until(there)
        return found[0]

    def answer(self, job: Record, value: bytes) -> None:
        topic = headers.text(job.headers, headers.REPLY_TO) or ""
        partition = headers.text(job.headers, headers.REPLY_PARTITION)
        self.producer.send(topic, value, job.key, job.headers, int(partition) if partition else None)
        self.producer.flush()

    def ends(self, count: int) -> dict[str, tuple[str, str | None]]:
        """Status and error by flow, when so many have ended."""
        self.until(lambda: len(self.answers) >= count)
        return {a.flow: (a.status, a.error) for a in self.answers}

    def goes_on(self) -> None:
        """Flows of both shards are carried out; no shard stopped, and no lane began anew."""
        self.answers.clear()
        for n in range(4):
            self.start(f"pass:after-{n}", n)
        assert set(self.ends(4).values()) == {("SUCCEEDED", None)}
        assert not self.lane.stopped
        assert REGISTRY.get_sample_value("sfc_lane_restarts_total") == self.restarts

    def reasons(self) -> Counter[str | None]:
        at = Partition(self.names.dead_letters, 0)
        end = self.log.ends([at])[at]
        reader = self.log.reader({at: 0})
        found: list[Record] = []
        while reader.position(at) < end:
            found += reader.take(1_000, 0.1)
        reader.close()
        return Counter(headers.text(r.headers, headers.REASON) for r in found)

    def close(self) -> None:
        for role in self.roles:
            role.close()
        self.lane.close()
        self.definitions.close()
        self.replies.close()
        self.jobs.close()
        self.producer.close()
        self.log.close()


@pytest.fixture
def site(kafka: str, tmp_path: Path) -> Iterator[Site]:
    site = Site(kafka, tmp_path)
    yield site
    site.close()


def text_of(size: int) -> str:
    """Text whose JSON has so many bytes, and which no compression makes smaller to speak of."""
    return os.urandom(size // 2 + 1).hex()[: size - 2]


def sizes(limit: int) -> list[int]:
    return [int(share * limit) for share in SHARES]


def test_records_of_an_input_topic(site: Site) -> None:
    site.with_role(TriggerRole)
    given = [*sizes(262_144), *sizes(RECORD_BYTES_MAX), 2 * RECORD_BYTES_MAX - OWN_BYTES]
    for size in given:
        site.producer.send(site.orders, json.dumps(text_of(size)).encode(), b"k", [("own", b"x")], 0)
    site.producer.flush()
    site.until(lambda: sum(site.reasons().values()) >= 5)
    assert site.reasons() == {"too-large": 5}
    site.goes_on()


BOMBS = {
    "invalid UTF-8": b'"\xff\xfe"',
    "no JSON": b"{order: 1}",
    "half of it": b'{"a": [1, 2',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "a number of many digits": b"9" * 7_000_000,
    "a huge exponent": b"1e999999",
    "not a number": b"NaN",
    "quotes never closed": b'"\\' * 2_000_000 + b"[" * 300,
}
TWICE = b'{"a": 1, "a": 2}'  # the last counts


def test_json_bombs_on_an_input_topic(site: Site) -> None:
    site.with_role(TriggerRole)
    for value in (*BOMBS.values(), TWICE):
        site.producer.send(site.orders, value, b"k", None, 0)
    site.producer.flush()
    site.until(lambda: sum(site.reasons().values()) >= len(BOMBS))
    assert site.reasons() == {"not-json": len(BOMBS)}
    site.goes_on()


@pytest.mark.parametrize("blueprint", ["echo", "asks"], ids=["to the engine", "over a reply topic"])
def test_json_bombs_as_a_workers_answer(site: Site, blueprint: str) -> None:
    site.with_role(BridgeRole)
    for n, value in enumerate((*BOMBS.values(), TWICE)):
        site.start(f"{blueprint}:{n}", n)
        site.answer(site.job(), value)
    ends = site.ends(len(BOMBS) + 1)
    assert [ends[f"{blueprint}:{n}"] for n in range(len(BOMBS))] == [("FAILED", "States.Runtime")] * len(BOMBS)
    assert next(a.output for a in site.answers if a.flow == f"{blueprint}:{len(BOMBS)}") == {"a": 2}
    site.goes_on()


def test_json_bombs_on_the_control_topic_and_among_commands(site: Site) -> None:
    site.with_role(ControlRole)
    start = b'{"command": "start", "blueprint": "pass", "input": %s}'
    signal = b'{"command": "signal", "flow": "sign:1", "name": "go", "output": %s}'
    for value in BOMBS.values():
        for asked in (b"%s", start, signal):
            site.producer.send(site.names.control, asked % value, b"k", None, 0)
        command = b'{"command": "signal", "name": "go", "output": %s}' % value
        site.command("sign:1", command, [(headers.FORMAT, b"1"), (headers.COMMAND, b"signal")])
    site.until(lambda: sum(site.reasons().values()) >= 4 * len(BOMBS))
    assert site.reasons() == {"bad-control": 3 * len(BOMBS), "no-command": len(BOMBS)}
    site.goes_on()


@pytest.mark.parametrize("blueprint", ["once", "tell"], ids=["at least once", "exactly once"])
def test_jobs_about_as_large_as_their_topic_takes(site: Site, blueprint: str) -> None:
    for share, size in zip(SHARES, sizes(SMALL_BYTES), strict=True):
        site.start(f"{blueprint}:{share}", text_of(size - OWN_BYTES))
    site.until(lambda: any(a.flow == f"{blueprint}:1.1" for a in site.answers))
    ends = site.ends(1)
    assert ends.pop(f"{blueprint}:1.1") == ("FAILED", "SFC.DispatchFailed")
    at = Partition(site.small, 0)
    site.until(lambda: site.log.ends([at])[at] >= 2)
    assert set(ends.values()) <= {("SUCCEEDED", None)}
    site.goes_on()


@pytest.mark.parametrize("blueprint", ["once", "tell"], ids=["at least once", "exactly once"])
def test_many_small_jobs_for_a_topic_whose_limit_is_below_a_batch(site: Site, blueprint: str) -> None:
    """librdkafka's batches have up to 1 MB, and Kafka refuses one over the topic's limit whole, though each record would fit."""
    for n in range(200):
        value, head = encode_command(Start(blueprint, 1, "h", text_of(900), wait=ReplyTo(site.names.replies, "t", f"{blueprint}:{n}")))
        flow = f"{blueprint}:{n}".encode()
        site.producer.send(site.names.commands, value, flow, head, partition_of(flow, SHARDS))
    site.producer.flush()
    if blueprint == "tell":
        assert Counter(site.ends(200).values()) == {("SUCCEEDED", None): 200}
    at = Partition(site.small, 0)
    site.until(lambda: site.log.ends([at])[at] >= 200)
    reader = site.log.reader({at: 0})
    flows: set[str | None] = set()

    def all_there() -> bool:
        flows.update(headers.text(job.headers, headers.FLOW) for job in reader.take(200, 0.05))
        return len(flows) == 200

    site.until(all_there)
    reader.close()
    assert flows == {f"{blueprint}:{n}" for n in range(200)}
    site.goes_on()
    assert not [a for a in site.answers if a.error]


@pytest.mark.parametrize("blueprint", ["echo", "asks"], ids=["to the engine", "over a reply topic"])
def test_answers_about_as_large_as_a_payload_and_as_a_record_may_be(site: Site, blueprint: str) -> None:
    site.with_role(BridgeRole)
    given = [*sizes(262_144), *sizes(RECORD_BYTES_MAX)]
    for n, size in enumerate(given):
        site.start(f"{blueprint}:{n}", n)
        job = site.job()
        try:
            site.answer(job, json.dumps(text_of(size)).encode())
        except (RecordTooLarge, LogError):
            assert blueprint == "echo"  # the topic of commands takes no such record: the worker is told
            assert size >= RECORD_BYTES_MAX
            site.producer = site.log.producer()
            site.answer(job, b'"smaller"')
    ends = site.ends(len(given))
    expected = ["SUCCEEDED" if size <= 262_144 or (blueprint == "echo" and size >= RECORD_BYTES_MAX) else "FAILED" for size in given]
    assert [ends[f"{blueprint}:{n}"][0] for n in range(len(given))] == expected
    assert {error for status, error in ends.values() if status == "FAILED"} == {"States.DataLimitExceeded"}
    site.goes_on()


def test_control_records_and_signals_about_as_large_as_a_record_may_be(site: Site) -> None:
    site.with_role(ControlRole)
    for size in (*sizes(262_144), *(size - OWN_BYTES for size in sizes(RECORD_BYTES_MAX)[:2])):
        given = {"command": "start", "blueprint": "pass", "input": text_of(size)}
        site.producer.send(site.names.control, json.dumps(given).encode(), b"k", None, 0)
    site.start("sign:1", None)
    for share_of in (0.9 * RECORD_BYTES_MAX, 1.1 * 262_144, 0.9 * 262_144):
        reply = ReplyTo(site.names.replies, "t", "s")
        value, head = encode_command(Signal("go", text_of(int(share_of)), by="me", reply=reply))
        site.command("sign:1", value, head)
    site.producer.flush()
    site.ends(4)
    assert Counter(a.status for a in site.answers) == {"not-possible": 2, "done": 1, "SUCCEEDED": 1}
    site.goes_on()


def test_a_record_at_which_decide_raises_fails_its_flow_alone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    for n in range(6):
        site.start(f"double:{n}", {"n": POISON if n % 3 == 0 else n})
    ends = site.ends(6)
    assert all("could not decide what comes next: ValueError" in str(a.cause) for a in site.answers if a.status == "FAILED")
    assert {flow for flow, end in ends.items() if end == ("FAILED", "States.Runtime")} == {"double:0", "double:3"}
    assert Counter(status for status, _ in ends.values()) == {"FAILED": 2, "SUCCEEDED": 4}
    site.goes_on()


def test_flows_about_as_large_as_a_state_may_be(site: Site) -> None:
    given = text_of(262_144)
    for branches in BRANCHES:
        site.start(f"wide-{branches}:1", given)
    ends = site.ends(2)
    assert ends == {f"wide-{n}:1": ("FAILED", "States.DataLimitExceeded") for n in (14, 16)}
    states = {Partition(site.names.state, n): 0 for n in range(SHARDS)}
    reader = site.log.reader(states)
    sizes_of: dict[bytes, int] = {}

    def written() -> bool:
        sizes_of.update({r.key or b"": len(r.value or b"") for r in reader.take(100, 0.05)})
        return b"wide-12:1" in sizes_of

    site.until(written)
    reader.close()
    assert 14 * 262_000 < sizes_of[b"wide-12:1"] < 4 * 1024 * 1024
    site.goes_on()
    value, head = encode_command(Stop(by="me"))
    site.command("wide-12:1", value, head)
    site.until(lambda: any(a.flow == "wide-12:1" and a.status == "ABORTED" for a in site.answers))
