"""How far a partition's jobs are done: what may be committed while some of them still run."""

from __future__ import annotations

from collections import deque


class Progress:
    """The offsets of one assignment of a partition. Jobs finish in any order; the position moves only over finished ones."""

    __slots__ = ("_done", "_taken", "position")

    def __init__(self) -> None:
        self.position: int | None = None  # the offset behind the last of the finished ones; None while there is none
        self._taken: deque[int] = deque()
        self._done: set[int] = set()

    def take(self, offset: int) -> None:
        """Offsets come in rising order, with gaps where transactions were aborted or records compacted."""
        self._taken.append(offset)

    def finish(self, offset: int) -> None:
        taken, done = self._taken, self._done
        if taken and taken[0] == offset:
            taken.popleft()
            self.position = offset + 1
            while taken and taken[0] in done:
                done.remove(taken[0])
                self.position = taken.popleft() + 1
        else:
            done.add(offset)
