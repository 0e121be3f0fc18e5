"""Shards on their way to a lane. While one is restored, the next ones have their fences and their readers fill: on a cluster most of taking
a shard is waiting for answers."""

from __future__ import annotations

from collections.abc import Sequence

from sfc.errors import LogError
from sfc.ports import Clock, Log, StateStore
from sfc.runtime.attempts import Attempts
from sfc.runtime.checkpoint import Place
from sfc.runtime.definitions import Definitions
from sfc.runtime.fences import Fences
from sfc.runtime.taking import Taking
from sfc.wire.topics import Names

BEGUN_MAX = 4  # at a time
PLACE_S = 5.0  # for which shards that are taken one after the other need not ask which sfc.state it is


class Takings:
    """Those of a lane. ``at_once``: fences in so many threads."""

    def __init__(
        self, log: Log, names: Names, store: StateStore, definitions: Definitions, clock: Clock, attempts: Attempts | None, at_once: int
    ) -> None:
        self._log = log
        self._names = names
        self._store = store
        self._definitions = definitions
        self._clock = clock
        self._attempts = attempts
        self._fences = Fences(log, names, at_once)
        self._begun: dict[int, Taking] = {}
        self._failed: set[int] = set()  # ahead of its turn: at that it is tried again, and its lane told
        self._place: Place | None = None
        self._place_until_s = 0.0

    def __contains__(self, number: int) -> bool:
        """Whether the shard's has begun."""
        return number in self._begun

    def first_of(self, numbers: Sequence[int]) -> Taking:
        """That of the first shard, begun when it had not; some of the next ones begin beside it. Raises what making a Taking raises for the
        first."""
        first = numbers[0]
        if first not in self._begun:
            self._fences.take([n for n in numbers if n not in self._begun])
            self._failed.discard(first)
            self._begun[first] = self._begin(first)
        for number in numbers[1:BEGUN_MAX]:
            if number not in self._begun and number not in self._failed:
                try:
                    self._begun[number] = self._begin(number)
                except LogError:
                    self._failed.add(number)
        return self._begun[first]

    def _begin(self, number: int) -> Taking:
        now_s = self._clock.monotonic_s()
        known = self._place if now_s < self._place_until_s else None
        taking = Taking(
            number, self._log, self._names, self._store, self._definitions, self._clock, self._attempts, known, self._fences.pop(number)
        )
        if known is None:
            self._place, self._place_until_s = taking.place, now_s + PLACE_S
        return taking

    def done(self, number: int) -> None:
        """The lane owns the shard, and its fence."""
        self._begun.pop(number).close()

    def drop(self, number: int) -> None:
        """The shard is not to be taken, or not now: its fence goes, too."""
        self._failed.discard(number)
        self._fences.drop(number)
        if number in self._begun:
            self._begun.pop(number).drop()

    def close(self) -> None:
        for number in list(self._begun):
            self.drop(number)
        self._fences.close()
        self._failed.clear()
