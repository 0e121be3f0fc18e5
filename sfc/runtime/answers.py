"""Answers of the engine to callers who wait: the tail of ``sfc.replies``. Nobody polls."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from sfc.engine.commands import ReplyTo
from sfc.errors import MalformedRecord, NoAnswer
from sfc.log import get_logger
from sfc.ports import Log, Partition
from sfc.wire.replies import Answer, decode_answer
from sfc.wire.topics import Names

_log = get_logger()


class Answers:
    """Reads ``sfc.replies`` from its end as of the making, without a group; takes what has the ``instance`` as its key.

    One thread steps; any thread may ``expect`` and ``forget``. The instance's name must be no other's.
    """

    def __init__(self, log: Log, names: Names, instance: str) -> None:
        self._topic = names.replies
        self._instance = instance
        self._key = instance.encode()
        partitions = [Partition(names.replies, n) for n in range(log.topics().get(names.replies, 1))]
        self._reader = log.reader(log.ends(partitions))
        self._lock = threading.Lock()
        self._waiting: dict[str, Future[Answer]] = {}

    @property
    def ready(self) -> bool:
        return True

    @property
    def waiting(self) -> int:
        """How many answers are awaited."""
        return len(self._waiting)

    def reply_to(self, id: str) -> ReplyTo:
        """What a command carries so that its answer comes here under ``id``."""
        return ReplyTo(self._topic, self._instance, id)

    def expect(self, id: str) -> Future[Answer]:
        """The answer with this id, when it comes. To be called before the command is appended; whoever gives up calls ``forget``."""
        future: Future[Answer] = Future()
        with self._lock:
            self._waiting[id] = future
        return future

    def forget(self, id: str) -> None:
        """Nobody waits for it any more."""
        with self._lock:
            self._waiting.pop(id, None)

    def step(self, timeout_s: float = 0.1) -> int:
        """Reads what is new and hands answers out. Returns how many records were read."""
        records = self._reader.take(1_000, timeout_s)
        for record in records:
            if record.key == self._key and record.value is not None:
                try:
                    self._hand_out(decode_answer(record.value))
                except MalformedRecord as e:
                    _log.warning(e.message, action="answer-malformed", topic=record.topic, partition=record.partition, offset=record.offset)
        return len(records)

    def _hand_out(self, answer: Answer) -> None:
        with self._lock:
            future = self._waiting.pop(answer.id, None)
        if future is not None and future.set_running_or_notify_cancel():  # False: the caller has given up
            future.set_result(answer)

    def close(self) -> None:
        """Those who still wait hear that no answer comes."""
        with self._lock:
            left, self._waiting = self._waiting, {}
        for future in left.values():
            if future.set_running_or_notify_cancel():
                future.set_exception(NoAnswer("this gateway is stopping and reads no answers any more", hint="ask again"))
        self._reader.close()
