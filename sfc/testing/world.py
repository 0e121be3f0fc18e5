"""A world of flows without any server: one shard, a clock that jumps to whatever comes next, and a queue of commands.

It does what a lane does with ``decide``, in the same order: a command is taken at its time, its decision's effects are carried out, and
they may append commands, of other flows too. What is to become of an effect is a line in a table (``carry``), by its type; an event
that the world answers without an effect (a signal is awaited) may have a line, too.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sfc.engine.commands import Fire, FlowCommand, Heartbeat, Start
from sfc.engine.decide import decide
from sfc.engine.effects import Effect
from sfc.engine.events import AnyEvent
from sfc.engine.flow import Flow, next_due_ms
from sfc.engine.program import Program
from sfc.engine.shard import ShardState
from sfc.errors import SfcError

Carry = Callable[["World", "Life", Any], None]


class Life:
    """One flow of the world, from its start to its end: ``flow`` is what evolve made of it, ``events`` all that was decided."""

    __slots__ = ("events", "flow", "id", "program")

    def __init__(self, flow_id: str, program: Program) -> None:
        self.id = flow_id
        self.program = program
        self.flow: Flow | None = None
        self.events: list[AnyEvent] = []


class Pulse(NamedTuple):
    """Signs of life of a job: one every so often, until then."""

    every_ms: int
    until_ms: int


class World:
    """``step`` takes the next command or timer; ``run`` goes on until there is none. ``commands`` counts what was taken."""

    def __init__(self, now_ms: int, carry: Mapping[type[Any], Carry]) -> None:
        self.shard = ShardState(number=0, clock_ms=now_ms)
        self.lives: dict[str, Life] = {}
        self.commands = 0
        self._carry = carry
        self._queue: list[tuple[int, int, str, FlowCommand, Pulse | None]] = []
        self._timers: list[tuple[int, str]] = []
        self._appended = 0

    @property
    def now_ms(self) -> int:
        """Virtual time, in milliseconds since 1970."""
        return self.shard.clock_ms

    def start(self, flow_id: str, program: Program, command: Start) -> Life:
        """A new flow; it starts when its turn comes."""
        life = self.lives[flow_id] = Life(flow_id, program)
        self.append(flow_id, command)
        return life

    def append(self, flow_id: str, command: FlowCommand, after_ms: int = 0, pulse: Pulse | None = None) -> None:
        """A command for later; of those of one time the first appended is the first taken."""
        self._appended += 1
        heapq.heappush(self._queue, (self.now_ms + after_ms, self._appended, flow_id, command, pulse))

    def step(self) -> bool:
        """Takes what comes next: a timer only when no command is due at its time. False where nothing comes any more."""
        due_ms, due_flow = self._next_timer()
        pulse: Pulse | None = None
        command: FlowCommand | Fire
        if self._queue and (not due_ms or self._queue[0][0] <= due_ms):
            at_ms, _, flow_id, command, pulse = heapq.heappop(self._queue)
        elif due_ms:
            at_ms, flow_id, command = due_ms, due_flow, Fire(due_ms)
            heapq.heappop(self._timers)
        else:
            return False
        self.shard.clock_ms = max(self.now_ms, at_ms)
        self._take(self.lives[flow_id], command, pulse)
        return True

    def _take(self, life: Life, command: FlowCommand | Fire, pulse: Pulse | None) -> None:
        offset = self.commands
        self.commands += 1
        self.shard.next_offset = offset + 1
        decision = decide(life.program, life.flow, command, self.shard, offset, life.id)
        life.flow = decision.flow
        life.events += decision.events
        if life.flow is not None and life.flow.running:
            due_ms = next_due_ms(life.flow)
            if due_ms:
                heapq.heappush(self._timers, (due_ms, life.id))
        if pulse is not None and isinstance(command, Heartbeat) and not decision.closed and self.now_ms + pulse.every_ms < pulse.until_ms:
            self.append(life.id, command, pulse.every_ms, pulse)
        for event in decision.events:
            if type(event) in self._carry:
                self._carry[type(event)](self, life, event)
        for effect in decision.effects:
            self._do(life, effect)

    def _do(self, life: Life, effect: Effect) -> None:
        carry = self._carry.get(type(effect))
        if carry is None:
            raise SfcError(f"what {life.id} wants done ({type(effect).__name__}) can't be tried in memory")
        carry(self, life, effect)

    def _next_timer(self) -> tuple[int, str]:
        """The earliest timer of a living flow, 0 for none; those that were replaced meanwhile are dropped."""
        while self._timers:
            due_ms, flow_id = self._timers[0]
            flow = self.lives[flow_id].flow
            if flow is not None and flow.running and next_due_ms(flow) == due_ms:
                return due_ms, flow_id
            heapq.heappop(self._timers)
        return 0, ""
