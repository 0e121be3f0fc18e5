"""A worker that knows nothing of SFC but its contract: it answers a job with the job's key and headers, where the job says.

What it does wrong or late is set up by faults: ``tricks``, each for the next job that it takes.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from sfc.ports import Clock, Headers, Partition, Position, Record
from sfc.testing.simulation.faulty_log import FaultyLog
from sfc.wire import headers

WORK_MS = (1, 400)
SLOW_MS = 2_500
LATE_MS = 8_000
_Answer = tuple[int, int, str, bytes | None, bytes | None, Headers, int | None]


class Worker:
    """A role: takes jobs of ``topics``, and answers each after a while. It commits a job's offset when it has nothing left to answer.

    ``calm``: it fails no job by chance any more."""

    def __init__(
        self, log: FaultyLog, clock: Clock, topics: list[str], tricks: list[str], errors: tuple[str, ...], happened: Callable[[str], None]
    ) -> None:
        self._log = log
        self._clock = clock
        self._tricks = tricks
        self._errors = errors
        self._happened = happened
        self._chance: random.Random = log.chance
        self._consumer = log.consumer("workers", topics)
        self._producer = log.producer()
        self._due: list[_Answer] = []
        self._made = 0
        self._positions: dict[Partition, Position] = {}
        self.calm = False

    @property
    def busy(self) -> bool:
        return bool(self._due)

    def next_ms(self) -> int | None:
        """When it answers next, by its own clock; None when it has nothing to answer."""
        return self._due[0][0] if self._due else None

    def step(self, timeout_s: float = 0.0) -> int:
        done = 0
        now_ms = self._clock.now_ms()
        while self._due and self._due[0][0] <= now_ms:
            _, _, topic, value, key, head, partition = self._due[0]
            self._producer.send(topic, value, key, head, partition)
            heapq.heappop(self._due)
            done += 1
        records = self._consumer.take(50, timeout_s)
        for record in records:
            self._work(record, now_ms)
            self._positions[Partition(record.topic, record.partition)] = Position(record.offset + 1)
        if done:
            self._producer.flush()
        if self._positions and not self._due:
            self._consumer.commit(self._positions)
            self._positions = {}
        return done + len(records)

    def _work(self, job: Record, now_ms: int) -> None:
        head = dict(job.headers)
        if headers.JOB not in head or headers.REPLY_TO not in head or job.topic == "audit":
            return
        deadline = head.get(headers.DEADLINE)
        if deadline is not None and datetime.fromisoformat(deadline.decode()).timestamp() * 1000 < now_ms:
            return
        trick = self._tricks.pop(0) if self._tricks else ""
        chance = self._chance.random()
        error = "" if self.calm or chance > 0.12 else self._errors[0 if chance > 0.03 else 1]
        token = head[headers.JOB].decode()
        value: bytes | None = msgspec.json.encode(self._output(job, token))
        kept: list[tuple[str, bytes]] = list(job.headers)
        if error:
            kept += [(headers.ERROR, error.encode()), (headers.CAUSE, b"as chance would have it")]
        partition = int(head[headers.REPLY_PARTITION]) if headers.REPLY_PARTITION in head else None
        delay_ms = self._chance.randint(*WORK_MS)
        to = head[headers.REPLY_TO].decode()
        if trick:
            self._happened(trick)
        match trick:
            case "worker-is-dead":
                return
            case "worker-is-slow":
                delay_ms = SLOW_MS
            case "answer-is-late":
                delay_ms = LATE_MS
            case "answer-is-doubled":
                self._answer(now_ms + delay_ms + self._chance.randint(0, 1_500), to, value, job.key, kept, partition)
            case "answer-on-wrong-partition" if partition is not None:
                partition += 1
            case "answer-is-no-json":
                value = b"{not json"
            case "heartbeats":
                for n in range(1, 4):
                    self._answer(now_ms + n * 1_000, to, None, job.key, [*job.headers, (headers.HEARTBEAT, b"1")], partition)
                delay_ms = 3_500
            case "answer-of-nobody":
                strange = [h for h in job.headers if h[0] != headers.JOB] + [(headers.JOB, token.encode() + b"0")]
                self._answer(now_ms, to, value, job.key, strange, partition)
            case _:
                pass
        self._answer(now_ms + delay_ms, to, value, job.key, kept, partition)

    def _answer(self, at_ms: int, to: str, value: bytes | None, key: bytes | None, head: Headers, partition: int | None) -> None:
        self._made += 1
        if partition is not None:
            partition %= self._log.topics()[to]
        heapq.heappush(self._due, (at_ms, self._made, to, value, key, head, partition))

    def _output(self, job: Record, token: str) -> dict[str, Any]:
        """Says whose it is, so that an answer that is taken for another's shows."""
        return {"of": token, "n": len(job.value or b"") % 10, "items": [1, 2], "list": [3], "a": "worked"}

    def close(self) -> None:
        self._consumer.close()
        self._producer.close()
