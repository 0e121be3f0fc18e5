"""What the log's contract is tested with: one backend per adapter, and small words for what tests do."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import uuid4

from sfc.ports import Consumer, Log, Partition, Reader, Record, TopicSpec, Transaction

DEADLINE_S = 60.0  # a broker may need a few seconds to rebalance; the embedded log needs none


class Backend:
    """One adapter, with a way to come back to the same log as a process does that starts again."""

    def __init__(self, kind: str, make: Callable[[], Log], *, lasting: bool) -> None:
        self.kind = kind
        self.lasting = lasting
        self._make = make
        self._open: list[Log] = [make()]

    @property
    def log(self) -> Log:
        return self._open[-1]

    def reopen(self) -> Log:
        self._open.pop().close()
        self._open.append(self._make())
        return self.log

    def close(self) -> None:
        for log in self._open:
            log.close()


def topic(log: Log, partitions: int = 1, **config: str) -> str:
    name = f"contract.{uuid4().hex[:12]}"
    log.create([TopicSpec(name, partitions, {key.replace("_", "."): value for key, value in config.items()})])
    return name


def ids(log: Log, *names: str) -> dict[str, str]:
    return {name: info.id for name in names if (info := log.describe(name))}


def group() -> str:
    return f"contract.{uuid4().hex[:12]}"


def publish(log: Log, name: str, *values: bytes, partition: int = 0) -> None:
    producer = log.producer()
    for value in values:
        producer.send(name, value, partition=partition)
    producer.flush()
    producer.close()


def until(what: Callable[[], bool], *members: Consumer) -> None:
    """Waits until something is so, calling ``take`` of the members in turn meanwhile."""
    deadline = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < deadline, "it did not come to that in time"
        for member in members:
            member.take(100, 0.05)
        if not members:
            time.sleep(0.01)


def taken(source: Consumer | Reader, count: int) -> list[Record]:
    """The next ``count`` records; fails when they don't come."""
    got: list[Record] = []
    deadline = time.monotonic() + DEADLINE_S
    while len(got) < count:
        assert time.monotonic() < deadline, f"only {len(got)} of {count} records came"
        got.extend(source.take(count - len(got), 0.2))
    return got


def commit(tx: Transaction, name: str, *values: bytes) -> None:
    """One transaction."""
    tx.begin()
    for value in values:
        tx.send(name, value, partition=0)
    tx.commit()


def refused_then_commit(tx: Transaction, name: str) -> None:
    tx.send(name, b"nowhere")
    tx.commit()


def everything(log: Log, name: str, *, committed: bool = True, held: bool = False, partition: int = 0) -> list[bytes | None]:
    """The values of a partition up to its end. ``held``: an open transaction is on it; else it is waited for that none is, since
    a broker answers a commit before it has written the markers."""
    at = Partition(name, partition)
    if committed and not held:
        until(lambda: log.ends([at]) == log.ends([at], committed=False))
    end = log.ends([at], committed=committed)[at]
    reader = log.reader({at: log.starts([at])[at]}, committed=committed)
    got: list[Record] = []
    deadline = time.monotonic() + DEADLINE_S
    while reader.position(at) < end:
        assert time.monotonic() < deadline, f"the reader stands at {reader.position(at)}, the end is {end}"
        got.extend(reader.take(1000, 0.1))
    reader.close()
    return [record.value for record in got]
