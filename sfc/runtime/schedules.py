"""The schedule role: starts a flow for each tick of each schedule, once over all gateways and through whatever dies.

The order is what makes it so:

1. Ticks that are due are read; their starts are appended, with the schedule as source and the nominal time as mark.
2. The log has acknowledged them (``flush``).
3. Only then the schedule moves on to its next tick.

Who dies or stalls in between leaves the ticks due, and another gateway appends the same starts again: same flow id, so the same shard; same
mark, so that the shard drops what it has taken before (EXACTLY-ONCE 3).
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from sfc.engine.commands import Origin
from sfc.errors import NotPossible, UnknownName
from sfc.log import get_logger
from sfc.ports import Clock, DueSchedule, Log, ScheduleBook
from sfc.runtime.definitions import Definitions
from sfc.runtime.starts import Appender, start_command
from sfc.wire.topics import Names

_log = get_logger()

LOOK_S = 0.5  # between two looks at what is due


def tick_flow(blueprint: str, trigger: str, nominal_ms: int) -> str:
    """The id of a tick's flow: ``nightly-report:nightly-20260131T030000Z``."""
    return f"{blueprint}:{trigger}-{datetime.fromtimestamp(nominal_ms / 1000, UTC):%Y%m%dT%H%M%SZ}"


class ScheduleRole:
    """Belongs to one thread. Another one steps ``definitions``. Any number of gateways run one each."""

    def __init__(self, book: ScheduleBook, log: Log, names: Names, shards: int, definitions: Definitions, clock: Clock) -> None:
        self._book = book
        self._definitions = definitions
        self._clock = clock
        self._appender = Appender(log, names, shards, gapless=True)
        self._rest = threading.Event()

    @property
    def ready(self) -> bool:
        return self._definitions.ready

    def step(self, timeout_s: float = LOOK_S) -> int:
        """Starts what is due. Returns how many flows. Raises RegistryError, LogError; what was not carried through stays due."""
        started = self._turn() if self._definitions.ready else 0
        if not started:
            self._rest.wait(timeout_s)
        return started

    def _turn(self) -> int:
        if not self._book.due(self._clock.now_ms()):
            return 0
        with self._book.alone() as mine:
            if not mine:
                return 0
            done = [schedule for schedule in self._book.due(self._clock.now_ms()) if self._append(schedule)]
            self._appender.flush()
            self._book.advance(done)
        return sum(len(schedule.ticks) for schedule in done)

    def _append(self, schedule: DueSchedule) -> bool:
        """False: not now, its blueprint is not known here as the registry has it."""
        for nominal_ms in schedule.ticks:
            origin = Origin("schedule", trigger=schedule.id)
            try:
                command = start_command(self._definitions, schedule.blueprint, schedule.input, origin=origin, keep_id=True)
            except (UnknownName, NotPossible) as e:
                _log.info(e.message, action="schedule-waits", blueprint=schedule.blueprint, schedule=schedule.id)
                return False
            flow = tick_flow(schedule.blueprint, schedule.id, nominal_ms)
            self._appender.append(flow, command, f"schedule/{schedule.uid}", (nominal_ms,))
        return True

    def close(self) -> None:
        self._appender.close()
