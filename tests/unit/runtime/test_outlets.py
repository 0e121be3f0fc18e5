"""How effects leave: a few at once, many together, and all of them before anything is committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.engine.effects import DispatchJob
from sfc.engine.program import Target
from sfc.ports import Log, Partition, TopicSpec
from sfc.runtime.outlets import BATCHING_FROM, GATHERED_MAX, Outlets
from sfc.wire.topics import Names

NAMES = Names("t")


class World:
    def __init__(self) -> None:
        self.log: Log = EmbeddedLog.memory()
        self.log.create([TopicSpec("jobs", 1), TopicSpec("small", 1, {"max.message.bytes": "300"}), TopicSpec(NAMES.commands, 1)])
        self.outlets = Outlets(self.log, NAMES, 1)
        self.failed: list[tuple[str, str]] = []

    def send(self, number: int, topic: str = "jobs", value: bytes = b"1") -> None:
        target = Target("task:a@1", "task", topic)
        job = DispatchJob(f"b:{number}/0/1/x", f"b:{number}", "b", 1, "A", target, value, 1, 0)
        self.outlets.job(job, 0, lambda job, reason: self.failed.append((job.flow, reason)))

    def sent(self) -> list[bytes]:
        reader = self.log.reader({Partition("jobs", 0): 0})
        try:
            return [r.key or b"" for r in reader.take(10_000, 0)]
        finally:
            reader.close()


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.outlets.close()
    world.log.close()


def test_what_a_few_commands_lead_to_leaves_at_once(world: World) -> None:
    world.outlets.expect(BATCHING_FROM - 1)
    world.send(1)
    assert world.sent() == [b"b:1"]


def test_what_many_commands_lead_to_leaves_together_in_its_order(world: World) -> None:
    world.outlets.expect(BATCHING_FROM)
    for n in range(GATHERED_MAX - 1):
        world.send(n)
    assert world.sent() == []
    world.send(GATHERED_MAX)
    assert len(world.sent()) == GATHERED_MAX
    assert world.sent()[:2] == [b"b:0", b"b:1"]


@pytest.mark.parametrize("at_end", [lambda outlets: outlets.poll(0.0), lambda outlets: outlets.flush()], ids=["poll", "flush"])
def test_nothing_stays_behind_at_the_end_of_a_batch_or_before_a_commit(world: World, at_end: Callable[[Outlets], None]) -> None:
    world.outlets.expect(1_000)
    world.send(1)
    at_end(world.outlets)
    assert world.sent() == [b"b:1"]


def test_a_job_that_its_topic_refuses_is_told_and_the_others_of_its_batch_leave(world: World) -> None:
    world.outlets.expect(1_000)
    world.send(1, "small", b"1" * 1_000)
    world.send(2)
    world.outlets.flush()
    assert [flow for flow, _ in world.failed] == ["b:1"]
    assert world.sent() == [b"b:2"]
