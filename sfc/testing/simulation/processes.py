"""The processes of a simulated installation: the real roles, each on a log and a clock of its own, stepped by whoever schedules them."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Protocol
from unittest.mock import patch

from sfc.adapters.embedded import EmbeddedLog
from sfc.adapters.memory_store import MemoryStateStore
from sfc.engine.program import Program
from sfc.engine.rules import RULES
from sfc.errors import SfcError
from sfc.ports import Clock
from sfc.runtime import taking
from sfc.runtime.attempts import Attempts
from sfc.runtime.bridge import BridgeRole
from sfc.runtime.control import ControlRole
from sfc.runtime.definitions import Definitions
from sfc.runtime.lane import Lane, LaneLimits
from sfc.runtime.triggers import TriggerRole
from sfc.testing.simulation.clock import SkewedClock, VirtualClock
from sfc.testing.simulation.faulty_log import FaultyLog
from sfc.testing.simulation.traps import Crash, Traps
from sfc.wire.definitions import BlueprintVersion
from sfc.wire.topics import Names

REMADE_AFTER_MS = 500  # a role that failed is made anew after a pause
MANY_TRIES = 12  # at one command: here engines die all the time, and none of a command
_LIMITS = LaneLimits(interval_s=0.1)
_LINKED_MAX = 2_000
_linked: dict[tuple[str, int, str], Program] = {}


class SharedDefinitions(Definitions):
    """Versions are immutable, and so are programs: each is compiled once, whoever runs it."""

    def _link(self, found: BlueprintVersion) -> Program:
        key = found.name, found.version, found.hash
        program = _linked.get(key)
        if program is None:
            program = super()._link(found)
            if len(_linked) >= _LINKED_MAX:
                _linked.clear()
            _linked[key] = program
        return program


class Role(Protocol):
    def step(self, timeout_s: float = 0.0) -> int: ...

    def close(self) -> None: ...


class Process:
    """One process: made, stepped, frozen, killed and made again. ``happened`` hears of faults. ``role`` is None while it is down."""

    def __init__(
        self,
        name: str,
        log: EmbeddedLog,
        clock: VirtualClock,
        chance: random.Random,
        happened: Callable[[str], None],
        make: Callable[[Process], Role],
        torn: Callable[[int, list[bytes]], None],
    ) -> None:
        self.name = name
        self.store = MemoryStateStore()
        self.rules = RULES
        self._lives = 1
        self.attempts = Attempts(f"{name}-1", MANY_TRIES)
        self._torn = torn
        self.clock = SkewedClock(clock)
        self._virtual = clock
        self._embedded = log
        self._chance = chance
        self._happened = happened
        self._make = make
        self.role: Role | None = None
        self.log = self._new_log()
        self.frozen = False
        self.at_work = False  # within a turn: it may stand still there while others take theirs
        self.up_ms = 0  # when it may be made again

    def _new_log(self) -> FaultyLog:
        log = FaultyLog(self._embedded, Traps(self._happened), self._virtual, self._chance)
        log.torn = self._torn
        return log

    @property
    def runnable(self) -> bool:
        return not (self.frozen or self.at_work) and (self.role is not None or self._virtual.ran_ms >= self.up_ms)

    def step(self) -> int:
        """One turn. A failure costs it a pause and its role; a crash everything that it had not given to the log."""
        self.at_work = True
        try:
            if vars(taking)["RULES"] == self.rules:
                return self._step()
            with patch.object(taking, "RULES", self.rules):  # two releases are at work
                return self._step()
        finally:
            self.at_work = False

    def _step(self) -> int:
        try:
            if self.role is None:
                self.role = self._make(self)
                return 1
            return self.role.step(0.0)
        except Crash:
            self.die()
        except SfcError:
            self._close()
        return 0

    def store_now(self) -> MemoryStateStore:
        """The local store as it is, on another disk."""
        return copy.deepcopy(self.store)

    def new_store(self) -> None:
        self.store = MemoryStateStore()

    def kill(self) -> None:
        """Kills it from outside, between two turns."""
        self.log.traps.dead = True
        self.die()

    def die(self, down_ms: int = 300) -> None:
        """What it had in hand is gone: consumers do not leave their groups, transactions stay open."""
        self.log.traps.dead = True
        self.role = None
        self.log = self._new_log()
        self._lives += 1
        self.attempts = Attempts(f"{self.name}-{self._lives}", MANY_TRIES)
        self.up_ms = self._virtual.ran_ms + down_ms

    def _close(self) -> None:
        role, self.role = self.role, None
        self.up_ms = self._virtual.ran_ms + REMADE_AFTER_MS
        try:
            if role is not None:
                role.close()
        except Crash:
            self.die()
        except SfcError:
            pass
        self.log = self._new_log() if not self.log.traps.armed else self.log

    def leave(self) -> int:
        """Shuts it down cleanly."""
        self._close()
        return 1


class Intake:
    """What `sfc trigger` runs: the tail of definitions, topic triggers, the control topic and the reply bridge; one of them a turn."""

    def __init__(self, log: FaultyLog, names: Names, shards: int, clock: Clock) -> None:
        self._definitions = SharedDefinitions(log, names)
        self._definitions.load()
        now_s = clock.monotonic_s
        self._roles: tuple[Role, ...] = (
            self._definitions,
            TriggerRole(log, names, shards, self._definitions, now_s),
            ControlRole(log, names, shards, self._definitions, now_s),
            BridgeRole(log, names, shards, self._definitions, now_s),
        )

    def step(self, timeout_s: float = 0.0) -> int:
        return sum(role.step(timeout_s) for role in self._roles)

    def close(self) -> None:
        for role in reversed(self._roles):
            role.close()


def engine(log: FaultyLog, names: Names, shards: int, clock: Clock, store: MemoryStateStore, attempts: Attempts | None = None) -> Lane:
    return Lane(log, names, shards, SharedDefinitions(log, names), store, clock, _LIMITS, attempts)
