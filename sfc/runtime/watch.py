"""What can change while engines run, and would break a promise, looked at each minute: settings of SFC's topics (EXACTLY-ONCE 33), and
commands that a foreign transaction keeps from being read (EXACTLY-ONCE 29). It tells; it stops nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sfc.errors import LogUnavailable, TopicMismatch, TopicMissing
from sfc.log import get_logger
from sfc.ports import Log, Partition, TopicSpec
from sfc.runtime import metrics
from sfc.runtime.topics import ensure_topics
from sfc.wire.topics import Names

_log = get_logger()

TOPICS_S = 60.0
HELD_S = 5.0
SAY_HELD_S = 10.0  # a transaction that is open so long is nobody's who is about to commit


@dataclass
class Watch:
    """A role (see ``sfc.runtime.roles.Role``): one per process of engines. ``specs``: SFC's topics as they must be."""

    log: Log
    names: Names
    shards: int
    specs: Sequence[TopicSpec]
    bootstrap: str = ""
    _topics_due_s: float = 0.0
    _held_due_s: float = 0.0
    _stable: dict[int, tuple[int, float]] = field(default_factory=dict)  # last stable offset of a held shard, and since when
    _said: set[int] = field(default_factory=set)

    @property
    def ready(self) -> bool:
        return True

    def step(self, timeout_s: float = 0.1) -> int:
        """Looks when it is time to."""
        now_s = time.monotonic()
        try:
            if now_s >= self._held_due_s:
                self._held_due_s = now_s + HELD_S
                self._look_at_shards(now_s)
            if now_s >= self._topics_due_s:
                self._topics_due_s = now_s + TOPICS_S
                self._look_at_topics()
        except LogUnavailable:
            pass  # those who need the log say so
        time.sleep(timeout_s)
        return 0

    def _look_at_topics(self) -> None:
        try:
            ensure_topics(self.log, self.specs, create=False, bootstrap=self.bootstrap)
        except (TopicMismatch, TopicMissing) as e:
            metrics.TOPICS_WRONG.set(1)
            _log.error(e.message, action="topics-wrong")
        else:
            metrics.TOPICS_WRONG.set(0)

    def _look_at_shards(self, now_s: float) -> None:
        """A shard is held when its last stable offset stays behind the end: a transaction is open on ``sfc.commands``, where none of SFC's
        own ever is."""
        partitions = [Partition(self.names.commands, n) for n in range(self.shards)]
        stable = self.log.ends(partitions)
        ends = self.log.ends(partitions, committed=False)
        for partition in partitions:
            number, behind = partition.number, ends[partition] - stable[partition]
            known = self._stable.get(number)
            if behind <= 0:
                self._stable.pop(number, None)
                self._said.discard(number)
            elif known is None or known[0] != stable[partition]:
                self._stable[number] = stable[partition], now_s
            held = now_s - self._stable[number][1] if number in self._stable else 0.0
            metrics.SHARD_HELD.labels(str(number)).set(held)
            if behind > 0 and held >= SAY_HELD_S and number not in self._said:
                self._said.add(number)
                _log.error(
                    f"shard {number} is held: an open transaction on {partition.topic}-{number} keeps {behind} records from being read for"
                    f" {held:.0f} s; a service that answers in transactions needs a reply topic of its own",
                    action="shard-held",
                    shard=number,
                )

    def close(self) -> None:
        """Nothing to give back."""
