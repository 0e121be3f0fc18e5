"""A gateway over the embedded log in memory, with an engine's part played by each test."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sfc_gateway.app import create_app
from sfc_gateway.services import Services

from sfc.adapters.clock import SystemClock
from sfc.adapters.embedded import EmbeddedLog
from sfc.adapters.sql import SqliteFlowIndex
from sfc.client import Client
from sfc.engine.commands import Command, Hold, ReplyTo, Start
from sfc.engine.effects import Reply
from sfc.ports import Partition, TopicSpec
from sfc.registry import Outbox, Registry
from sfc.runtime.answers import Answers
from sfc.runtime.dead_letters import DeadLetterOffice
from sfc.runtime.definitions import Definitions
from sfc.runtime.starts import Appender
from sfc.wire.commands import decode_command
from sfc.wire.replies import encode_answer
from sfc.wire.topics import Names, core_topics

SHARDS = 2
URL = "http://127.0.0.1"  # without keys a gateway answers to no other name
PASSING = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}


def blueprint(name: str = "orders", **section: Any) -> dict[str, Any]:
    return {**PASSING, "Sfc": {"Name": name, **section}}


Answering = Callable[[str, Command, ReplyTo], Reply | None]


class Gateway:
    """The services, their threads, and what was appended. ``answering`` plays the engine: which reply a command gets, if any."""

    def __init__(self, database: str) -> None:
        self.log = EmbeddedLog.memory()
        self.names = Names("t")
        self.log.create([TopicSpec(n, p, c) for n, (p, c) in core_topics(self.names, SHARDS).items()])
        clock = SystemClock()
        self.registry = Registry(database, clock)
        self.registry.settings(SHARDS)
        self.outbox = Outbox(self.registry, self.log, self.names, SHARDS)
        self.definitions = Definitions(self.log, self.names)
        self.answers = Answers(self.log, self.names, "gw-1")
        self.index = SqliteFlowIndex()
        self.commands: list[tuple[str, Any]] = []
        self.answering: Answering = lambda flow, command, to: Reply(to, flow, "started" if isinstance(command, Start) else "done")
        self.services = Services(
            log=self.log,
            names=self.names,
            shards=SHARDS,
            clock=clock,
            instance="gw-1",
            definitions=self.definitions,
            registry=self.registry,
            kick=self.outbox_woken,
            index=self.index,
            appender=Appender(self.log, self.names, SHARDS),
            answers=self.answers,
            office=DeadLetterOffice(self.log, self.names, "gw-1"),
            dev=True,
            embedded=True,
            verdict_s=2.0,
            publish_s=2.0,
        )
        self._stop = threading.Event()
        self._kicked = threading.Event()
        self._kicked.set()
        self._threads = [
            threading.Thread(target=self._loop, args=(step,)) for step in (self._publish, self._tail, self._answer, self._engine)
        ]
        self._commands = self.log.reader({Partition(self.names.commands, n): 0 for n in range(SHARDS)})
        self._replies = self.log.producer()
        for thread in self._threads:
            thread.start()

    def app(self, **changes: Any) -> Any:
        return create_app(replace(self.services, **changes))

    def outbox_woken(self) -> None:
        self._kicked.set()

    def _loop(self, step: Callable[[], object]) -> None:
        while not self._stop.is_set():
            step()

    def _publish(self) -> None:
        if self._kicked.wait(0.05):
            self._kicked.clear()
            self.outbox.step()

    def _tail(self) -> None:
        self.definitions.step(0.05)

    def _answer(self) -> None:
        self.answers.step(0.05)

    def _engine(self) -> None:
        for record in self._commands.take(100, 0.05):
            command = decode_command(record.key, record.value, list(record.headers)).command
            flow = (record.key or b"").decode()
            if not isinstance(command, Hold):
                self.commands.append((flow, command))
            for to in _awaiting(command):
                reply = self.answering(flow, command, to)
                if reply is not None:
                    self._replies.send(to.topic, encode_answer(reply), to.key.encode(), partition=0)

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self.registry.close()
        self.index.close()
        self.log.close()


def _awaiting(command: Command) -> list[ReplyTo]:
    if isinstance(command, Start):
        return [to for to in (command.accepted, command.wait) if to is not None]
    to = getattr(command, "reply", None)
    return [] if to is None else [to]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry's database with its tables and nothing else: migrations take longer than most tests."""
    path = tmp_path_factory.mktemp("registry") / "registry.db"
    Registry(f"sqlite:///{path}", SystemClock()).close()
    return path


@pytest.fixture(scope="session")
def make_gateway() -> type[Gateway]:
    """For tests that share one."""
    return Gateway


@pytest.fixture
def gateway(migrated: Path, tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(f"sqlite:///{shutil.copy(migrated, tmp_path)}")
    yield made
    made.close()


@pytest.fixture
def http(gateway: Gateway) -> Iterator[TestClient]:
    with TestClient(gateway.app(), base_url=URL, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def deployed(http: TestClient) -> TestClient:
    """With the blueprint ``orders``, version 1."""
    answer = http.put("/v1/blueprints/orders", json=blueprint())
    assert answer.status_code == 201, answer.text
    return http


@pytest.fixture
def client(http: TestClient) -> Iterator[Client]:
    """SFC's own client over the same application."""
    with Client(URL, transport=http._transport) as made:
        yield made
