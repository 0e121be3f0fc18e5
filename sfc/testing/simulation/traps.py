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
    operation, after it, or in its place (then the operation asks for it by kind). ``spring``: what happens before and after."""

    kind: str
    when: str
    ops: frozenset[str]
    skip: int = 0
    spring: Callable[[], None] | None = None


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

    def instead(self, kind: str, op: str) -> bool:
        """Whether this fault happens in place of the operation at hand."""
        for trap in self.armed:
            if trap.when == "instead" and trap.kind == kind and op in trap.ops and self._springs(trap):
                self.happened(kind)
                return True
        return False

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
