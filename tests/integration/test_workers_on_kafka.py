"""Workers on a real Kafka: with the SDK, and with nothing but a client."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from sfc_workers import Handler, Job, Worker
from sfc_workers.intake import Intake

from sfc.adapters.kafka import KafkaLog
from sfc.ports import Partition, Record, TopicSpec
from sfc.wire import headers
from sfc.wire.topics import Names

JOBS = 60


class Site:
    """A namespace of its own with the task ``hello``, and the topic of the answers."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.log = KafkaLog({"bootstrap.servers": bootstrap}, replication=1)
        self.names = Names(f"w{uuid4().hex[:8]}")
        self.topic = self.names.task("hello")
        self.log.create([TopicSpec(self.topic, 2), TopicSpec(self.names.commands, 4)])
        self._producer = self.log.producer()

    def jobs(self, count: int = JOBS) -> None:
        for n in range(count):
            flow = f"shop:{n}"
            head = [
                (headers.JOB, f"{flow}/{n}/3/abc".encode()),
                (headers.TASK, b"task:hello@1"),
                (headers.DEADLINE, b"2999-01-01T00:00:00.000Z"),
                (headers.REPLY_TO, self.names.commands.encode()),
                (headers.REPLY_PARTITION, b"%d" % (n % 4)),
            ]
            value = b"{nope" if n == 7 else json.dumps({"name": n}).encode()
            self._producer.send(self.topic, value, flow.encode(), head)
        self._producer.flush()

    def answers(self, count: int, step: Callable[[], Any]) -> list[Record]:
        """Until so many jobs are answered; those that were done twice have two."""
        reader = self.log.reader({Partition(self.names.commands, n): 0 for n in range(4)})
        found: list[Record] = []
        deadline = time.monotonic() + 60
        while len({record.key for record in found}) < count:
            step()
            found += reader.take(1_000, 0.05)
            assert time.monotonic() < deadline, f"{len(found)} answers of {count}"
        reader.close()
        return found

    def committed(self) -> int:
        return sum(x.offset for x in self.log.group_positions(self.topic).values())


@pytest.fixture
def site(kafka: str) -> Site:
    return Site(kafka)


def check(answers: list[Record]) -> None:
    assert sorted((a.key or b"").decode() for a in answers) == sorted(f"shop:{n}" for n in range(JOBS))
    for answer in answers:
        n = int((answer.key or b"").decode().split(":")[1])
        assert answer.partition == n % 4
        assert headers.text(answer.headers, headers.JOB) == f"shop:{n}/{n}/3/abc"
        if n == 7:
            assert "Decode" in (headers.text(answer.headers, headers.ERROR) or "")
        else:
            assert headers.find(answer.headers, headers.ERROR) is None
            assert json.loads(answer.value or b"") == {"greeting": f"Hello, {n}!"}


async def hello(job: Job) -> dict[str, str]:
    return {"greeting": f"Hello, {job.input['name']}!"}


def test_a_worker_with_the_sdk_answers_every_job_and_commits_it(site: Site) -> None:
    worker = Worker(site.log, site.names, {"hello": Handler("hello", hello, True, False)})
    site.jobs()
    check(site.answers(JOBS, lambda: worker.step(0.01)))
    worker.close()
    assert site.committed() == JOBS


def test_a_worker_that_is_nothing_but_a_kafka_client_does_so_too(site: Site) -> None:
    command = [sys.executable, "-m", "sfc_workers.examples.plain_worker", "--bootstrap", site.bootstrap, "--topic", site.topic]
    process = subprocess.Popen(command)
    try:
        site.jobs()
        check(site.answers(JOBS, lambda: process.poll() is None or pytest.fail("the worker ended")))
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    assert site.committed() == JOBS


def test_jobs_of_a_worker_that_died_are_done_by_another(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Intake, "_commit", lambda intake, partitions, wait=True: None)  # it dies before it commits
    first = Worker(site.log, site.names, {"hello": Handler("hello", hello, True, False)}, pumps=False)
    site.jobs()
    deadline = time.monotonic() + 60
    while not first.counts.completed:
        first.step(0.05)
        assert time.monotonic() < deadline
    first.close()
    assert site.committed() == 0
    monkeypatch.undo()
    second = Worker(site.log, site.names, {"hello": Handler("hello", hello, True, False)}, pumps=False)
    while site.committed() < JOBS:
        second.step(0.05)
        assert time.monotonic() < deadline
    second.close()
    answers = site.answers(JOBS, lambda: None)
    check(list({a.key: a for a in answers}.values()))
