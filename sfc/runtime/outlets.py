"""Where effects leave: producers of a lane that may give a record up, and one that never does."""

from __future__ import annotations

from collections.abc import Callable

from sfc.engine.commands import Command
from sfc.engine.effects import DispatchJob, Reply
from sfc.errors import RecordTooLarge
from sfc.log import get_logger
from sfc.ports import Headers, Log, Producer
from sfc.runtime.letters import send_letter
from sfc.wire import FORMAT, headers
from sfc.wire.commands import Mark, encode_command
from sfc.wire.dead_letters import DeadLetter
from sfc.wire.jobs import job_headers
from sfc.wire.replies import encode_answer
from sfc.wire.topics import Names

_log = get_logger()

BATCHING_FROM = 20  # commands in a batch: effects of fewer leave at once
GATHERED_MAX = 200  # effects that leave together


_Effect = tuple[str, bytes, bytes, Headers, int | None, Callable[[str], None]]
"""A record: topic, value, key, headers, partition, and who hears that it was lost. A plain tuple, since it is made for every job."""

UNHEARD_S = 10.0


class Outlets:
    """``gapless``: commands to shards. ``effects``: jobs, replies, dead letters (given up after 10 s: EXACTLY-ONCE 25)."""

    def __init__(self, log: Log, names: Names, shards: int) -> None:
        self._names = names
        self._shards = shards
        self._gapless = log.producer(gapless=True)
        self._single = log.producer()
        self._batching = log.producer(busy=True)
        self._gathering = False
        self._gathered: list[_Effect] = []
        self._unheard = False  # commands were sent and not flushed,
        self._unheard_since_s = float("inf")  # and since when

    def expect(self, records: int) -> None:
        """How many commands are about to be decided: effects of a few leave at once, those of many together, some hundred at a time.
        Deciding one takes longer than the client waits for the next record of its batch, so that without this nearly every record
        would be a batch, and workers would answer them one by one. Records of one flow may so overtake each other; nothing rests on
        their order."""
        self._gathering = records >= BATCHING_FROM

    def command(self, partition: int, key: bytes, command: Command, source: str = "", mark: Mark = ()) -> None:
        """Appends a command to a shard."""
        value, head = encode_command(command, source, mark)
        self._unheard = True
        self._gapless.send(self._names.commands, value, key, head, partition)

    def forward(
        self, partition: int, key: bytes | None, value: bytes | None, head: list[tuple[str, bytes]], source: str, mark: Mark
    ) -> None:
        """Passes a record on to the shard that it belongs to, once (EXACTLY-ONCE 30)."""
        self._unheard = True
        kept = [h for h in head if h[0] not in (headers.SOURCE, headers.MARK)]
        kept += [(headers.SOURCE, source.encode()), (headers.MARK, ".".join(map(str, mark)).encode())]
        self._gapless.send(self._names.commands, value, key, kept, partition)

    def job(self, job: DispatchJob, shard: int, failed: Callable[[DispatchJob, str], None]) -> None:
        """Sends a job. ``failed`` hears, now or in a later ``poll`` or ``flush``, that its topic did not take it."""
        reply_to = job.target.reply_topic
        head = job_headers(job, reply_to or self._names.commands, None if reply_to else shard)
        self._effect((job.target.topic, job.value, job.flow.encode(), head, None, lambda reason: failed(job, reason)))

    def reply(self, reply: Reply) -> None:
        """Sends an answer. One that is lost costs its caller a timeout, not more."""

        def lost(reason: str) -> None:
            _log.warning("an answer was not delivered", action="reply-lost", flow=reply.flow, reason=reason)

        self._effect((reply.to.topic, encode_answer(reply), reply.to.key.encode(), [(headers.FORMAT, FORMAT)], 0, lost))

    def _effect(self, effect: _Effect) -> None:
        if not self._gathering:
            self._leave(self._single, effect)
            return
        self._gathered.append(effect)
        if len(self._gathered) >= GATHERED_MAX:
            self._leave_together()

    def _leave(self, producer: Producer, effect: _Effect) -> None:
        try:
            producer.send(*effect)
        except RecordTooLarge as e:
            effect[5](e.message)

    def _leave_together(self) -> None:
        gathered, self._gathered = self._gathered, []
        for effect in gathered:
            self._leave(self._batching, effect)

    def dead_letter(self, letter: DeadLetter) -> None:
        """Sends a dead letter; losing one is losing a record, so it fails the interval (it is then sent again)."""
        send_letter(self._single, self._names, letter)

    def poll(self, now_s: float) -> None:
        """What is gathered leaves, and failures are told. Commands that nothing was committed after (ticks, ``dispatched``) are flushed
        in the end: on an idle lane nobody else would hear that they were lost, and their flows would wait for ever."""
        if not self._unheard:
            self._unheard_since_s = now_s
        elif now_s - self._unheard_since_s > UNHEARD_S:
            self.flush()
        self._leave_together()
        self._single.poll()
        self._batching.poll()
        self._gapless.poll()

    def flush(self) -> None:
        """Everything is acknowledged, or ProducerFailed is raised (EXACTLY-ONCE 17)."""
        self._leave_together()
        self._single.flush()
        self._batching.flush()
        self._gapless.flush()
        self._unheard = False

    def close(self) -> None:
        self._single.close()
        self._batching.close()
        self._gapless.close()
