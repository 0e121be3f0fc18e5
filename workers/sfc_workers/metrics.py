"""What a worker counts."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import Counter

JOBS = Counter("sfc_jobs", "Jobs that came to this worker, by what became of them.", ["outcome"])


@dataclass(slots=True)
class Counts:
    """Jobs since the worker began. ``late``: not started, because nobody waits for the answer any more; ``foreign``: records that are
    no jobs; ``unanswered``: given up without an answer."""

    completed: int = 0
    failed: int = 0
    late: int = 0
    foreign: int = 0
    unanswered: int = 0

    @property
    def finished(self) -> int:
        return self.completed + self.failed + self.late + self.foreign + self.unanswered
