"""Where jobs come in: one member of a consumer group, and what it may commit."""

from __future__ import annotations

import time
from collections import deque
from typing import NamedTuple

from sfc.errors import LogError
from sfc.log import get_logger
from sfc.ports import Consumer, Log, Partition, Position, Record
from sfc_workers.progress import Progress

_log = get_logger()

COMMIT_S = 0.3  # between two commits: what is done again after a crash is at most this, and what was in flight
PAUSE_AFTER_S = 0.5  # a full worker waits so long before it pauses its partitions: pausing drops what was fetched


class Taken(NamedTuple):
    """A record and the assignment that it came with."""

    progress: Progress
    record: Record


class Intake:
    """Belongs to one thread, but for ``finished``: any thread may append to it what has been answered for good."""

    def __init__(self, log: Log, topic: str, group: str) -> None:
        self.topic = topic
        self.group = group
        self.finished: deque[list[Taken]] = deque()
        self._assigned: dict[Partition, Progress] = {}
        self._committed: dict[Partition, int] = {}
        self._commit_due_s = 0.0
        self._full_since_s = 0.0
        self._paused = False
        self._consumer: Consumer = log.consumer(group, [topic], assigned=self._on_assigned, revoked=self._on_revoked, lost=self._on_lost)

    def take(self, records_max: int, timeout_s: float, *, full: bool = False) -> list[Taken]:
        """What has come; commits in passing. ``full``: nothing is wanted now, only the group is kept happy."""
        self._hold(full)
        if full and not self._paused:
            time.sleep(min(timeout_s, 0.001))
            return []
        records = self._consumer.take(records_max, timeout_s)
        taken = []
        for record in records:
            progress = self._assigned.get(Partition(record.topic, record.partition))
            if progress is not None:
                progress.take(record.offset)
                taken.append(Taken(progress, record))
        if time.monotonic() >= self._commit_due_s:
            self._commit_soon()
        return taken

    def commit(self) -> None:
        """Commits what is finished, up to the first gap in each partition."""
        self._settle()
        self._commit(list(self._assigned))

    def _commit_soon(self) -> None:
        """The same, and nobody waits for it: in that time jobs would lie about, and each flow has several."""
        self._commit_due_s = time.monotonic() + COMMIT_S
        self._settle()
        self._commit(list(self._assigned), wait=False)

    def close(self) -> None:
        """Commits and leaves."""
        self.commit()
        self._consumer.close()

    def _hold(self, full: bool) -> None:
        if not full:
            self._full_since_s = 0.0
            if self._paused:
                self._paused = False
                self._consumer.resume(list(self._consumer.assignment()))
            return
        now = time.monotonic()
        self._full_since_s = self._full_since_s or now
        if self._paused or now - self._full_since_s > PAUSE_AFTER_S:
            self._paused = True  # each time anew: partitions may have come meanwhile
            self._consumer.pause(list(self._consumer.assignment()))

    def _settle(self) -> None:
        while self.finished:
            for progress, record in self.finished.popleft():
                progress.finish(record.offset)

    def _commit(self, partitions: list[Partition], *, wait: bool = True) -> None:
        moved: dict[Partition, Position] = {}
        for partition in partitions:
            position = self._assigned[partition].position
            if position is not None and (wait or position != self._committed.get(partition)):
                moved[partition] = Position(position)
        if not moved:
            return
        try:
            self._consumer.commit(moved, wait=wait)
        except LogError as e:
            # Whoever owns them now does again what was not committed: at least once.
            _log.warning("offsets of done jobs were not committed", action="commit-refused", group=self.group, reason=e.message)
            return
        self._committed.update((partition, position.offset) for partition, position in moved.items())

    def _on_assigned(self, partitions: list[Partition]) -> None:
        for partition in partitions:
            self._assigned[partition] = Progress()

    def _on_revoked(self, partitions: list[Partition]) -> None:
        """What is still running finishes and is answered, but somebody else starts from what is committed here."""
        self._settle()
        self._commit([p for p in partitions if p in self._assigned])
        self._on_lost(partitions)

    def _on_lost(self, partitions: list[Partition]) -> None:
        for partition in partitions:
            self._assigned.pop(partition, None)
            self._committed.pop(partition, None)
