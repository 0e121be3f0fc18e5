"""The scheduler: keeps as many replicas of each pool as its documents, an operator and its lag ask for."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from sfc.errors import LogError
from sfc.log import get_logger
from sfc.ports import Log
from sfc.runtime.definitions import Definitions
from sfc.runtime.pools import Lag, Pool, lags, pools_of
from sfc.wire.topics import Names
from sfc_scheduler.decision import Sample, wanted
from sfc_scheduler.leadership import Leadership
from sfc_scheduler.metrics import LAG, LEADER, RUNNING, WANTED
from sfc_scheduler.ports import Replicas

_log = get_logger()

LOST_STOP_S = 3.0  # put out of the group, somebody else may be starting replicas already
EDIT_LOOK_S = 0.2  # after an edit the next look comes early, but not for each of many edits


class Pace(NamedTuple):
    """``look_s``: between two looks at the lag; ``down_after_s``: how long it must have been lower; ``stop_s``: how long a replica may
    take to finish what it does."""

    look_s: float = 3.0
    down_after_s: float = 30.0
    stop_s: float = 12.0


class Scheduler:
    """A role. Somebody else steps ``definitions``. It owns ``replicas`` and closes them.

    When the log does not answer, everything stays as it is.
    """

    def __init__(
        self,
        log: Log,
        names: Names,
        definitions: Definitions,
        replicas: Replicas,
        pace: Pace,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._names = names
        self._definitions = definitions
        self._replicas = replicas
        self._pace = pace
        self._monotonic_s = monotonic_s
        self._history: dict[str, list[Sample]] = defaultdict(list)
        self._looked_s = float("-inf")
        self._revision = -1
        self._away = False
        self._unknown: set[str] = set()  # pools whose lag was not known
        self._shown: set[str] = set()  # pools that had replicas
        self._leadership = Leadership(log, names, self._on_ended)

    @property
    def leads(self) -> bool:
        return self._leadership.leads

    @property
    def ready(self) -> bool:
        """Also of one that waits for its turn to lead."""
        return self._definitions.ready

    def step(self, timeout_s: float = 0.1) -> int:
        """Returns how many replicas were started or told to stop."""
        self._leadership.step(timeout_s)
        LEADER.set(self.leads)
        if not self.leads:
            return 0
        self._replicas.tend()
        self._shown |= self._replicas.pools()
        for pool in self._shown:
            RUNNING.labels(pool).set(sum(replica.up for replica in self._replicas.list(pool)))
        since_s = self._monotonic_s() - self._looked_s
        edited = self._definitions.revision != self._revision and since_s >= EDIT_LOOK_S
        if not self._definitions.ready or not (edited or since_s >= self._pace.look_s):
            return 0
        return self._look()

    def _look(self) -> int:
        self._revision = self._definitions.revision
        self._looked_s = self._monotonic_s()
        kept = {name: pool for name, pool in pools_of(self._definitions, self._names).items() if pool.scale is not None}
        try:
            found = lags(self._log, kept.values())
        except LogError as e:
            if not self._away:
                _log.warning("the lag of the workers is not known now: their numbers stay", action="lag-unknown", reason=e.message)
            self._away = True
            return 0
        self._away = False
        known = [pool for name, pool in kept.items() if self._is_known(name, found[name])]
        changed = sum(self._bring(pool, self._wanted(pool, found[pool.name])) for pool in known)
        for name in self._replicas.pools() - kept.keys():
            _log.info(f"{name} is scaled no more", action="pool-gone", pool=name)
            changed += self._stop(name, 0)
            WANTED.labels(name).set(0)
        return changed

    def _is_known(self, pool: str, lag: Lag) -> bool:
        """A pool whose lag is not known stays as it is, and the others go on."""
        if lag.trouble and pool not in self._unknown:
            _log.warning(f"the lag of {pool} is not known: its workers stay", action="lag-unknown", pool=pool, reason=lag.trouble)
        (self._unknown.add if lag.trouble else self._unknown.discard)(pool)
        return not lag.trouble

    def _wanted(self, pool: Pool, lag: Lag) -> int:
        assert pool.scale is not None
        now_s, history = self._looked_s, self._history[pool.name]
        history[:] = [s for s in history if now_s - s.at_s < self._pace.down_after_s]
        override = self._definitions.pools.get(pool.name)
        number = wanted(pool.scale, override, lag.jobs, now_s, history, partitions=lag.partitions, down_after_s=self._pace.down_after_s)
        history.append(Sample(now_s, lag.jobs))
        LAG.labels(pool.name).set(lag.jobs)
        WANTED.labels(pool.name).set(number)
        return number

    def _bring(self, pool: Pool, number: int) -> int:
        assert pool.scale is not None
        changed = 0
        for replica in self._replicas.list(pool.name):
            if replica.module != pool.scale.module:  # an edit has named another one
                self._replicas.stop(replica)
                changed += 1
        have = len(self._replicas.list(pool.name))
        if have < number:
            _log.info(f"{pool.name}: {have} replicas, {number} wanted", action="scale-up", pool=pool.name, have=have, wanted=number)
            self._replicas.start(pool, number - have)
            return changed + number - have
        return changed + self._stop(pool.name, number)

    def _stop(self, pool: str, number: int) -> int:
        """The newest go first."""
        over = self._replicas.list(pool)[number:]
        if over:
            _log.info(f"{pool}: {number} replicas wanted", action="scale-down", pool=pool, have=number + len(over), wanted=number)
        for replica in reversed(over):
            self._replicas.stop(replica)
        return len(over)

    def _on_ended(self, lost: bool) -> None:
        LEADER.set(0)
        for gauge in (WANTED, RUNNING, LAG):
            gauge.clear()  # they are the next leader's to tell
        self._shown.clear()
        self._replicas.stop_all(min(LOST_STOP_S, self._pace.stop_s) if lost else self._pace.stop_s)
        self._history.clear()
        self._looked_s = float("-inf")

    def close(self) -> None:
        """Stops the replicas, and only then leaves the group."""
        try:
            self._leadership.close()
        finally:
            self._replicas.stop_all(self._pace.stop_s)
            self._replicas.close()
