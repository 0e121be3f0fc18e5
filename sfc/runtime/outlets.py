"""Where effects leave: producers of a lane that may give a record up, and one that never does."""

from __future__ import annotations

from collections.abc import Callable

from sfc.engine.commands import Command
from sfc.engine.effects import DispatchJob, Reply
from sfc.errors import RecordTooLarge
from sfc.log import get_logger
from sfc.ports import Log
from sfc.runtime.letters import send_letter
from sfc.wire import FORMAT, headers
from sfc.wire.commands import Mark, encode_command
from sfc.wire.dead_letters import DeadLetter
from sfc.wire.jobs import job_headers
from sfc.wire.replies import encode_answer
from sfc.wire.topics import Names

_log = get_logger()

BATCHING_FROM = 20  # commands in a batch


class Outlets:
    """``gapless``: commands to shards. ``effects``: jobs, replies, dead letters (given up after 10 s: EXACTLY-ONCE 25)."""

    def __init__(self, log: Log, names: Names, shards: int) -> None:
        self._names = names
        self._shards = shards
        self._gapless = log.producer(gapless=True)
        self._single = log.producer()
        self._batching = log.producer(busy=True)
        self._effects = self._single

    def expect(self, records: int) -> None:
        """How many commands are about to be decided: effects of a few leave at once, those of many wait a millisecond for each other
        (batches ten times larger). Records of one flow may so overtake each other; nothing rests on their order."""
        self._effects = self._batching if records >= BATCHING_FROM else self._single

    def command(self, partition: int, key: bytes, command: Command, source: str = "", mark: Mark = ()) -> None:
        """Appends a command to a shard."""
        value, head = encode_command(command, source, mark)
        self._gapless.send(self._names.commands, value, key, head, partition)

    def forward(
        self, partition: int, key: bytes | None, value: bytes | None, head: list[tuple[str, bytes]], source: str, mark: Mark
    ) -> None:
        """Passes a record on to the shard that it belongs to, once (EXACTLY-ONCE 30)."""
        kept = [h for h in head if h[0] not in (headers.SOURCE, headers.MARK)]
        kept += [(headers.SOURCE, source.encode()), (headers.MARK, ".".join(map(str, mark)).encode())]
        self._gapless.send(self._names.commands, value, key, kept, partition)

    def job(self, job: DispatchJob, shard: int, failed: Callable[[DispatchJob, str], None]) -> None:
        """Sends a job. ``failed`` hears, now or in a later ``poll`` or ``flush``, that its topic did not take it."""
        reply_to = job.target.reply_topic
        head = job_headers(job, reply_to or self._names.commands, None if reply_to else shard)
        try:
            self._effects.send(job.target.topic, job.value, job.flow.encode(), head, on_failure=lambda reason: failed(job, reason))
        except RecordTooLarge as e:
            failed(job, e.message)

    def reply(self, reply: Reply) -> None:
        """Sends an answer. One that is lost costs its caller a timeout, not more."""

        def lost(reason: str) -> None:
            _log.warning("an answer was not delivered", action="reply-lost", flow=reply.flow, reason=reason)

        try:
            self._effects.send(reply.to.topic, encode_answer(reply), reply.to.key.encode(), [(headers.FORMAT, FORMAT)], 0, lost)
        except RecordTooLarge as e:
            lost(e.message)

    def dead_letter(self, letter: DeadLetter) -> None:
        """Sends a dead letter; losing one is losing a record, so it fails the interval (it is then sent again)."""
        send_letter(self._effects, self._names, letter)

    def poll(self) -> None:
        self._single.poll()
        self._batching.poll()
        self._gapless.poll()

    def flush(self) -> None:
        """Everything is acknowledged, or ProducerFailed is raised (EXACTLY-ONCE 17)."""
        self._single.flush()
        self._batching.flush()
        self._gapless.flush()

    def close(self) -> None:
        self._single.close()
        self._batching.close()
        self._gapless.close()
