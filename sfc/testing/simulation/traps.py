"""Where faults are injected: traps on the operations by which one process speaks with the log.

A process is killed by ``Crash``, which no code of SFC catches for good; from then on nothing that it does reaches the log.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


class Crash(BaseException):
    """The process is dead, here and now."""


@dataclass
class Trap:
    """``kind``: of the fault that it makes. It springs at an operation of ``ops``, after ``skip`` of them have passed. ``when``: before the
    operation, after it, or in its place. ``spring``: what happens then."""

    kind: str
    when: str
    ops: frozenset[str]
    skip: int = 0
    spring: Callable[[], None] | None = None
    counts: bool = True  # False: whoever carries it out says whether it came about


@dataclass
class Traps:
    """Of one life of one process. ``happened`` hears of each fault that has come about."""

    happened: Callable[[str], None]
    armed: list[Trap] = field(default_factory=list)
    dead: bool = False

    def arm(self, trap: Trap) -> None:
        self.armed.append(trap)

    def before(self, op: str) -> None:
        if self.dead:
            raise Crash
        if self.armed:
            self._at("before", op)

    def after(self, op: str) -> None:
        if self.armed:
            self._at("after", op)

    def _at(self, when: str, op: str) -> None:
        for trap in list(self.armed):
            if trap.when == when and op in trap.ops and trap in self.armed and self._springs(trap):
                self.happened(trap.kind)
                if trap.spring is not None:
                    trap.spring()

    def instead(self, op: str) -> str:
        """The kind of the fault that happens in place of the operation at hand, "" for none."""
        for trap in self.armed:
            if trap.when == "instead" and op in trap.ops and self._springs(trap):
                if trap.counts:
                    self.happened(trap.kind)
                if trap.spring is not None:
                    trap.spring()
                return trap.kind
        return ""

    def _springs(self, trap: Trap) -> bool:
        if trap.skip > 0:
            trap.skip -= 1
            return False
        self.armed.remove(trap)
        return True

    def crash(self) -> None:
        """Kills the process."""
        self.dead = True
        raise Crash
