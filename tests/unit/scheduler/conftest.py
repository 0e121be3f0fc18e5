"""A log in memory with definitions, and replicas that are only noted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sfc_scheduler.ports import Replica
from sfc_scheduler.scheduler import Pace, Scheduler

from sfc.adapters.embedded import EmbeddedLog
from sfc.ports import Partition, Position, TopicSpec
from sfc.runtime.definitions import Definitions
from sfc.runtime.pools import Pool
from sfc.wire.definitions import BlueprintHead, BlueprintVersion, Definition, PoolScale, TaskHead, TaskVersion, encode_definition, key_of
from sfc.wire.topics import Names, core_topics


class NotedReplicas:
    """``sfc_scheduler.ports.Replicas`` without processes."""

    def __init__(self) -> None:
        self.kept: list[Replica] = []
        self.stopped: list[str] = []
        self.stops_of_all: list[float] = []
        self.closed = False
        self._made = 0

    def list(self, pool: str) -> list[Replica]:
        return [r for r in self.kept if r.pool == pool]

    def pools(self) -> set[str]:
        return {r.pool for r in self.kept}

    def start(self, pool: Pool, n: int) -> None:
        assert pool.scale is not None
        for _ in range(n):
            self._made += 1
            self.kept.append(Replica(pool.name, f"r{self._made}", pool.scale.module, True))

    def stop(self, replica: Replica) -> None:
        self.kept.remove(replica)
        self.stopped.append(replica.instance)

    def tend(self) -> None:
        pass

    def stop_all(self, grace_s: float) -> None:
        self.stops_of_all.append(grace_s)
        self.kept.clear()

    def close(self) -> None:
        self.closed = True


class Site:
    """Two partitions for each job topic; ``now_s`` is the schedulers' clock."""

    def __init__(self, max_poll_s: float = 300.0) -> None:
        self.names = Names("t")
        self.log = EmbeddedLog.memory(max_poll_s=max_poll_s)
        self.log.create([TopicSpec(n, p, c) for n, (p, c) in core_topics(self.names, 2).items()])
        self.now_s = 0.0
        self._producer = self.log.producer()
        self._tails: dict[Scheduler, Definitions] = {}

    def define(self, *definitions: Definition) -> None:
        for one in definitions:
            self._producer.send(self.names.definitions, encode_definition(one), key_of(one).encode(), partition=0)
        self._producer.flush()

    def task(self, name: str, version: int = 1, **document: Any) -> None:
        self.define(TaskVersion(name, version, f"{name}{version}", {"Name": name, **document}), TaskHead(name, version, version))

    def blueprint(self, name: str, version: int = 1, **section: Any) -> None:
        document = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}, "Sfc": {"Name": name, **section}}
        head = BlueprintHead(name=name, current=version, status="enabled", revision=version)
        self.define(BlueprintVersion(name, version, f"{name}{version}", document), head)

    def override(self, pool: str, revision: int, **what: Any) -> None:
        self.define(PoolScale(pool, revision, **what))

    def topic(self, name: str, partitions: int = 2) -> None:
        self.log.create([TopicSpec(name, partitions)])

    def jobs(self, topic: str, *counts: int) -> None:
        """So many more in each partition."""
        for number, count in enumerate(counts):
            for _ in range(count):
                self._producer.send(topic, b"{}", partition=number)
        self._producer.flush()

    def done(self, topic: str, group: str, *offsets: int) -> None:
        self.log.set_group_positions(group, {Partition(topic, n): Position(offset) for n, offset in enumerate(offsets)})

    def definitions(self) -> Definitions:
        tail = Definitions(self.log, self.names)
        tail.load()
        return tail

    def scheduler(self, replicas: NotedReplicas) -> Scheduler:
        tail = self.definitions()
        pace = Pace(look_s=3, down_after_s=30, stop_s=9)
        made = Scheduler(self.log, self.names, tail, replicas, pace, monotonic_s=lambda: self.now_s)
        self._tails[made] = tail
        return made

    def turn(self, scheduler: Scheduler, after_s: float = 3.0) -> None:
        """A look at the lag, ``after_s`` later."""
        self.now_s += after_s
        self._tails[scheduler].step(0)
        scheduler.step(0)

    def close(self) -> None:
        self.log.close()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()
