"""Who leads among schedulers, on a real Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import uuid4

import pytest
from sfc_scheduler.leadership import Leadership

from sfc.adapters.kafka import KafkaLog
from sfc.ports import TopicSpec
from sfc.wire.topics import Names


class Candidate:
    """A scheduler as far as leading goes. ``ends``: how its time as leader ended (True: put out), and whether the other led already.
    A member that does not ask for records for six seconds is put out of its group."""

    def __init__(self, bootstrap: str, names: Names, name: str) -> None:
        properties = {"bootstrap.servers": bootstrap, "max.poll.interval.ms": "6000", "heartbeat.interval.ms": "300"}
        self.log = KafkaLog(properties, client_id=name)
        self.name = name
        self.group = names.scheduler_group
        self.other: Candidate | None = None
        self.ends: list[tuple[bool, bool]] = []
        self.leadership = Leadership(self.log, names, self._on_ended)

    @property
    def leads(self) -> bool:
        return self.leadership.leads

    def _on_ended(self, lost: bool) -> None:
        assert self.other is not None
        self.ends.append((lost, self.other.leads))


@pytest.fixture
def candidates(kafka: str) -> tuple[Candidate, Candidate]:
    names = Names(f"lead-{uuid4().hex[:8]}")
    KafkaLog({"bootstrap.servers": kafka}).create([TopicSpec(names.definitions, 1)])
    first, second = (Candidate(kafka, names, name) for name in ("first", "second"))
    first.other, second.other = second, first
    return first, second


def until(what: Callable[[], bool], *stepped: Candidate) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline, "it did not come to that in time"
        for candidate in stepped:
            candidate.leadership.step(0.05)


def test_one_leads_until_it_leaves_or_is_put_out(candidates: tuple[Candidate, Candidate]) -> None:
    leader, waiting = candidates
    until(lambda: leader.leads or waiting.leads, *candidates)
    if waiting.leads:
        leader, waiting = waiting, leader
    group = leader.group
    until(lambda: len(leader.log.group_members(group)) == 2, *candidates)
    assert [m.client_id for m in leader.log.group_members(group) if m.partitions] == [leader.name]

    until(lambda: waiting.leads, waiting)  # the leader hangs
    until(lambda: not leader.leads, waiting, leader)
    assert leader.ends == [(True, True)], "it was put out, and heard of it late"

    leader, waiting = waiting, leader
    until(lambda: len(leader.log.group_members(group)) == 2, *candidates)
    leader.leadership.close()
    assert leader.ends == [(False, False)], "it ended before anybody else led"
    until(lambda: waiting.leads, waiting)
    waiting.leadership.close()
