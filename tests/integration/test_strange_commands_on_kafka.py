"""Records that nobody should send, on a real Kafka: whatever comes, the lane goes on, and other flows do not notice."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from sfc.adapters.clock import SystemClock
from sfc.adapters.kafka import KafkaLog
from sfc.adapters.lmdb_store import LmdbStore
from sfc.engine.commands import ReplyTo, Start
from sfc.ports import Partition, Record, TopicSpec
from sfc.runtime.definitions import Definitions
from sfc.runtime.lane import Lane
from sfc.wire import headers
from sfc.wire.commands import encode_command
from sfc.wire.definitions import BlueprintVersion, encode_definition, key_of
from sfc.wire.partition import partition_of
from sfc.wire.replies import Answer, decode_answer
from sfc.wire.topics import RECORD_BYTES_MAX, Names, core_topics

SHARDS = 2
COMMAND = [(headers.FORMAT, b"1"), (headers.COMMAND, b"start")]


class Site:
    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.names = Names(f"strange-{uuid4().hex[:8]}")
        self.small = f"{self.names.namespace}.small"
        self.log = KafkaLog({"bootstrap.servers": bootstrap})
        self.log.create([TopicSpec(n, p, c) for n, (p, c) in core_topics(self.names, SHARDS).items()])
        self.log.create([TopicSpec(self.small, 1, {"max.message.bytes": "2000"})])
        self.producer = self.log.producer()
        tell = {"StartAt": "S", "States": {"S": {"Type": "Task", "Resource": f"topic:{self.small}", "End": True}}}
        for name, document in (("tell", tell), ("pass", {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})):
            definition = BlueprintVersion(name, 1, "h", document)
            self.producer.send(self.names.definitions, encode_definition(definition), key_of(definition).encode(), None, 0)
        self.producer.flush()
        self.replies = self.log.reader({Partition(self.names.replies, 0): 0})
        self.answers: list[Answer] = []
        self.lane = Lane(self.log, self.names, SHARDS, Definitions(self.log, self.names), LmdbStore(folder), SystemClock())
        self.until(lambda: self.lane.ready)

    def until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not done():
            assert time.monotonic() < deadline, f"it did not come to that in time: {self.answers}, {self.lane.stopped}"
            self.lane.step(0.02)
            self.answers += [decode_answer(r.value or b"") for r in self.replies.take(100, 0)]

    def send(self, key: bytes, value: bytes, head: list[tuple[str, bytes]], partition: int | None = None) -> None:
        self.producer.send(self.names.commands, value, key, head, partition_of(key, SHARDS) if partition is None else partition)
        self.producer.flush()

    def start(self, flow: str, given: object) -> None:
        value, head = encode_command(Start(flow.partition(":")[0], 1, "h", given, wait=ReplyTo(self.names.replies, "t", flow)))
        self.send(flow.encode(), value, head)

    def read(self, topic: str) -> list[Record]:
        at = Partition(topic, 0)
        end = self.log.ends([at])[at]
        reader = self.log.reader({at: 0})
        records: list[Record] = []
        while reader.position(at) < end:
            records += reader.take(1_000, 0.1)
        reader.close()
        return records

    def close(self) -> None:
        self.lane.close()
        self.replies.close()
        self.producer.close()
        self.log.close()


@pytest.fixture
def site(kafka: str, tmp_path: Path) -> Iterator[Site]:
    site = Site(kafka, tmp_path)
    yield site
    site.close()


def test_records_that_ask_for_nothing_possible_become_dead_letters(site: Site) -> None:
    restarts = REGISTRY.get_sample_value("sfc_lane_restarts_total")
    start = encode_command(Start("pass", 1, "h"))[0]
    site.send(b"k", b"x" * (RECORD_BYTES_MAX - 300), [])
    site.send(b"pass:x", b"x" * 5_380_000, [(headers.JOB, b"\x01" * 3_000_000)])
    site.send(b"/shard/0", start, COMMAND, 0)
    for key in (b"pass/a", b"x" * 600, b"", b"pass:\xff"):
        site.send(key, start, COMMAND)
    site.send(b"pass:z", encode_command(Start("pass", 1, "h", definitions=10**9))[0], COMMAND)
    site.send(b"pass:d", start[:-1] + b',"input":' + b"[" * 990 + b"]" * 990 + b"}", COMMAND)
    for n in range(10):
        site.start(f"pass:{n}", n)
    site.until(lambda: len(site.answers) == 10)
    reasons = Counter(headers.text(r.headers, headers.REASON) for r in site.read(site.names.dead_letters))
    assert reasons == {"bad-flow-id": 5, "no-command": 2, "unknown-token": 1, "unknown-definitions": 1}
    assert not site.lane.stopped
    assert REGISTRY.get_sample_value("sfc_lane_restarts_total") == restarts


def test_a_job_that_its_topic_refuses_takes_no_other_of_its_batch_along(site: Site) -> None:
    """Rule 25. Kafka refuses the whole batch, and the client's next transaction would skip the numbers that it had."""
    restarts = REGISTRY.get_sample_value("sfc_lane_restarts_total")
    home = partition_of(b"tell:0", SHARDS)
    flows = [f"tell:{n}" for n in range(40) if partition_of(b"tell:%d" % n, SHARDS) == home][:6]
    for n, flow in enumerate(flows):
        site.start(flow, os.urandom(9_000).hex() if n in (1, 3) else n)
    site.until(lambda: len(site.answers) == 6)
    failed = {a.flow for a in site.answers if (a.status, a.error) == ("FAILED", "SFC.DispatchFailed")}
    assert failed == {flows[1], flows[3]}
    assert sorted(r.key or b"" for r in site.read(site.small)) == sorted(f.encode() for n, f in enumerate(flows) if n not in (1, 3))
    assert REGISTRY.get_sample_value("sfc_lane_restarts_total") == restarts
