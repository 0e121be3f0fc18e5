"""The memory log with SFC's topics and definitions, and a test that plays client and worker of a lane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sfc.adapters.clock import SystemClock
from sfc.adapters.embedded import EmbeddedLog
from sfc.adapters.memory_store import MemoryStateStore
from sfc.engine.commands import Command, ReplyTo, Start
from sfc.ports import Partition, Record, TopicSpec
from sfc.runtime.definitions import Definitions
from sfc.runtime.lane import Lane, LaneLimits
from sfc.wire import headers
from sfc.wire.commands import Mark, encode_command
from sfc.wire.definitions import BlueprintHead, BlueprintVersion, TaskVersion, encode_definition, key_of
from sfc.wire.history import HistoryRecord, decode_history
from sfc.wire.partition import partition_of
from sfc.wire.replies import Answer, decode_answer
from sfc.wire.topics import Names, core_topics

SHARDS = 2
NAMES = Names("sfc")
DOCUMENT = {
    "StartAt": "One",
    "States": {
        "One": {"Type": "Task", "Resource": "task:echo@1", "Next": "Two"},
        "Two": {"Type": "Task", "Resource": "task:echo@1", "End": True},
    },
    "Sfc": {"Name": "twice"},
}
REPUBLISH = {
    "StartAt": "Tell",
    "States": {"Tell": {"Type": "Task", "Resource": "topic:audit", "End": True}},
    "Sfc": {"Name": "tell"},
}
WAITING = {
    "StartAt": "Nap",
    "States": {"Nap": {"Type": "Wait", "Seconds": 1, "End": True}},
    "Sfc": {"Name": "nap"},
}


class Bench:
    """The memory log with SFC's topics, definitions, and the means to play client and worker."""

    def __init__(self, log: EmbeddedLog | None = None) -> None:
        self.log = log or EmbeddedLog.memory()
        if log is None:
            self.set_up()

    def set_up(self) -> None:
        """Makes the topics that are missing, and the definitions."""
        self.log.create([TopicSpec(n, p, c) for n, (p, c) in core_topics(NAMES, SHARDS).items()])
        self.log.create([TopicSpec(NAMES.task("echo"), SHARDS), TopicSpec("audit", 1)])
        self.producer = self.log.producer()
        self.define(TaskVersion("echo", 1, "h-echo", {"Name": "echo"}))
        for name, document in (("twice", DOCUMENT), ("tell", REPUBLISH), ("nap", WAITING)):
            self.define(BlueprintVersion(name, 1, f"h-{name}", document))
            self.define(BlueprintHead(name, 1, "enabled", 1))
        self.jobs = self.log.reader({Partition(NAMES.task("echo"), n): 0 for n in range(SHARDS)})
        self.replies = self.log.reader({Partition(NAMES.replies, 0): 0})
        self.answers: list[Answer] = []

    def define(self, definition: Any) -> None:
        self.producer.send(NAMES.definitions, encode_definition(definition), key_of(definition).encode(), None, 0)
        self.producer.flush()

    def lane(self, store: MemoryStateStore | None = None) -> Lane:
        return Lane(
            self.log, NAMES, SHARDS, Definitions(self.log, NAMES), store or MemoryStateStore(), SystemClock(), LaneLimits(interval_s=0.02)
        )

    def command(self, flow: str, command: Command, source: str = "", mark: Mark = ()) -> None:
        value, head = encode_command(command, source, mark)
        self.producer.send(NAMES.commands, value, flow.encode(), head, partition_of(flow.encode(), SHARDS))
        self.producer.flush()

    def reply_to(self, flow: str) -> ReplyTo:
        return ReplyTo(NAMES.replies, "test", flow)

    def start(self, flow: str, input: Any = None, source: str = "", mark: Mark = ()) -> None:
        name = flow.partition(":")[0]
        self.command(flow, Start(name, 1, f"h-{name}", input, wait=self.reply_to(flow)), source, mark)

    def work(self) -> list[Record]:
        """Takes the jobs that are there and answers each with its input."""
        jobs = self.jobs.take(1_000, 0)
        for job in jobs:
            self.answer(job, job.value)
        return jobs

    def answer(self, job: Record, value: bytes | None, *more: tuple[str, bytes]) -> None:
        partition = int(headers.find(job.headers, headers.REPLY_PARTITION) or 0)
        self.producer.send(NAMES.commands, value, job.key, [*job.headers, *more], partition)
        self.producer.flush()

    def all(self, topic: str) -> list[Record]:
        partitions = [Partition(topic, n) for n in range(self.log.topics()[topic])]
        ends = self.log.ends(partitions)
        reader = self.log.reader(dict.fromkeys(partitions, 0))
        records: list[Record] = []
        while any(reader.position(p) < ends[p] for p in partitions):
            records += reader.take(10_000, 0.05)
        reader.close()
        return records

    def histories(self) -> list[HistoryRecord]:
        return [decode_history(r.value or b"") for r in self.all(NAMES.history)]

    def dead_letters(self) -> list[Record]:
        return self.all(NAMES.dead_letters)

    def run(self, lanes: list[Lane], until: Callable[[], bool], *, work: bool = True, steps_max: int = 600) -> None:
        for _ in range(steps_max):
            for lane in lanes:
                lane.step(0.005)
            if work:
                self.work()
            self.answers += [decode_answer(r.value or b"") for r in self.replies.take(1_000, 0)]
            if until():
                return
        raise AssertionError("what was awaited did not come")

    def await_jobs(self, lane: Lane) -> list[Record]:
        """Jobs that the lane has dispatched, unanswered."""
        jobs: list[Record] = []

        def there() -> bool:
            jobs.extend(self.jobs.take(10, 0))
            return bool(jobs)

        self.run([lane], there, work=False)
        return jobs


def settle(bench: Bench, lanes: list[Lane], steps: int = 40) -> None:
    for _ in range(steps):
        for lane in lanes:
            lane.step(0.002)
