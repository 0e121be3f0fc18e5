"""Answers of jobs: the same key and headers, to the topic and partition that the job names (the worker contract).

To ``sfc.commands`` go of SFC's own headers only those that an answer is known by: what the others say the engine knows, and each costs
worker, broker and engine time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from sfc.engine.sizes import DATA_LIMIT, output_too_large
from sfc.engine.turn import PAYLOAD_BYTES_MAX
from sfc.errors import RecordTooLarge
from sfc.log import get_logger
from sfc.ports import Headers, Log, Producer
from sfc.wire import headers
from sfc_workers.job import Job

CAUSE_CHARACTERS_MAX = 1_000
BUSY_FROM = 16  # jobs that came together: from here on a millisecond of batching and lz4 pay
_ASK_AGAIN_S = 5.0
_ENVELOPE_BYTES = 4_096  # what key and headers take at most, beside the value

_SPARED = frozenset(
    {
        headers.FLOW, headers.BLUEPRINT, headers.STATE, headers.TASK, headers.ATTEMPT, headers.DEADLINE, headers.CREDENTIALS,
        headers.REPLY_TO, headers.REPLY_PARTITION,
    }
)  # fmt: skip

_log = get_logger()


class _Topic(NamedTuple):
    name: str
    partitions: int  # 0: it is not there
    value_bytes_max: int
    until_s: float


class Replies:
    """Two producers: one that sends at once, and one that batches when there is much to send."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._alone: Producer = log.producer()
        self._busy: Producer = log.producer(busy=True)
        self._topics: dict[bytes, _Topic] = {}

    def send(self, job: Job, value: bytes, extra: Sequence[tuple[str, bytes]] = (), *, busy: bool = False) -> bool:
        """False when the job names no place that an answer could go to: there is nobody to tell."""
        topic = self._topic(job.headers.get(headers.REPLY_TO, b""))
        number = job.headers.get(headers.REPLY_PARTITION)
        partition = int(number) if number is not None and number.isdigit() else None
        if not topic.partitions or (partition is not None and partition >= topic.partitions):
            _log.error(
                "a job can't be answered: its reply topic or partition is not there",
                action="reply-impossible", token=job.token, topic=topic.name, partition=partition,
            )  # fmt: skip
            return False
        if len(value) > topic.value_bytes_max:
            refused = output_too_large(len(value), topic.value_bytes_max)
            value, extra = b"null", error_headers(DATA_LIMIT, refused.cause or "")
        head: Headers = job.record.headers
        if number is not None:  # to the engine itself
            head = [header for header in head if header[0] not in _SPARED]
        if extra:
            head = [*head, *extra]
        producer = self._busy if busy else self._alone
        try:
            producer.send(topic.name, value, job.record.key, head, partition)
        except RecordTooLarge:
            producer.send(topic.name, b"null", job.record.key, [*job.record.headers, *error_headers(DATA_LIMIT, "")], partition)
        return True

    def flush(self) -> None:
        """Returns when every answer is in the log. Raises ProducerFailed when one is lost: its job must be done again."""
        self._busy.flush()
        self._alone.flush()

    def close(self) -> None:
        self._busy.close()
        self._alone.close()

    def _topic(self, name: bytes) -> _Topic:
        found = self._topics.get(name)
        # A topic's limits may be raised, and one that is missing may be made.
        if found is None or time.monotonic() > found.until_s:
            text = name.decode("utf-8", "replace")
            info = self._log.describe(text) if text else None
            bytes_max = int(info.config.get("max.message.bytes", 1 << 20)) if info else 0
            until_s = time.monotonic() + (_ASK_AGAIN_S if info is None else 60 * _ASK_AGAIN_S)
            value_bytes_max = min(PAYLOAD_BYTES_MAX, bytes_max - _ENVELOPE_BYTES)
            found = self._topics[name] = _Topic(text, info.partitions if info else 0, value_bytes_max, until_s)
        return found


def error_headers(error: str, cause: str) -> list[tuple[str, bytes]]:
    head = [(headers.ERROR, error.encode("utf-8", "backslashreplace"))]
    if cause:
        head.append((headers.CAUSE, cause[:CAUSE_CHARACTERS_MAX].encode("utf-8", "backslashreplace")))
    return head
