"""A shard of one flow for tests: each command is decided twice, its events are folded, and what came is checked byte for byte."""

from __future__ import annotations

from typing import Any

import msgspec

from sfc.asl import compile_machine
from sfc.engine.commands import Complete, Dispatched, Fail, Fire, FlowCommand, Start, Wake
from sfc.engine.decide import decide
from sfc.engine.effects import DispatchJob, Reply, SendCommand
from sfc.engine.events import AnyEvent, ExecutionContinued, ExecutionYielded, StateEntered, TaskScheduled, name_of
from sfc.engine.evolve import evolve
from sfc.engine.flow import Branch, Flow, next_due_ms
from sfc.engine.link import link
from sfc.engine.program import Program
from sfc.engine.shard import HoldRecord, ShardState, Waking, held_by, subjects_of
from sfc.engine.turn import Decision

T0 = 1_700_000_000_000
FLOW = "orders:1"
encode = msgspec.json.Encoder().encode
TASKS: dict[str, dict[str, Any]] = {f"{name}@1": {"Name": name} for name in ("a", "b", "c", "d")}


def program_of(
    states: dict[str, Any],
    start_at: str = "A",
    tasks: dict[str, dict[str, Any]] | None = None,
    *,
    blueprints: dict[str, str] | None = None,
    **more: Any,
) -> Program:
    """A linked program; ``more`` are members of the document (TimeoutSeconds, Sfc)."""
    document = {"StartAt": start_at, "States": states, **more}
    machine = compile_machine({k: v for k, v in document.items() if k != "Sfc"})
    known = TASKS if tasks is None else tasks
    topics = {"task_topic": lambda task: f"t.{task}", "specific_topic": lambda blueprint: f"t.jobs.{blueprint}"}
    return link("orders", 1, "h", machine, document, known, jobs_topic="t.jobs", blueprints=blueprints, **topics)


def task(name: str = "a", **fields: Any) -> dict[str, Any]:
    """A Task state; it ends the machine unless it has a Next."""
    return {"Type": "Task", "Resource": f"task:{name}@1", **({} if "Next" in fields else {"End": True}), **fields}


class Bench:
    """``do`` decides; time moves by ``at``. ``history`` holds all events, ``jobs``, ``replies`` and ``sent`` all effects of their kinds."""

    def __init__(self, program: Program | None, flow_id: str = FLOW) -> None:
        self.program = program
        self.flow_id = flow_id
        self.flow: Flow | None = None
        self.folded: Flow | None = None
        self.shard = ShardState(number=0, clock_ms=T0)
        self.offset = 100
        self.history: list[AnyEvent] = []
        self.jobs: list[DispatchJob] = []
        self.replies: list[Reply] = []
        self.sent: list[SendCommand] = []

    def do(self, command: FlowCommand | Fire | Wake) -> Decision:
        before = None if self.flow is None else encode(self.flow)
        again = None if before is None else msgspec.json.decode(before, type=Flow)
        seq = 0 if self.flow is None else self.flow.seq
        decision = decide(self.program, self.flow, command, self.shard, self.offset, self.flow_id)
        second = decide(self.program, again, command, self.shard, self.offset, self.flow_id)
        assert encode(decision.events) == encode(second.events)
        assert encode(decision.effects) == encode(second.effects)
        assert encode(decision.flow) == encode(second.flow)
        assert [event.seq for event in decision.events] == list(range(seq + 1, seq + 1 + len(decision.events)))
        for event in msgspec.json.decode(encode(decision.events), type=list[AnyEvent]):
            if isinstance(event, StateEntered | TaskScheduled | ExecutionYielded | ExecutionContinued):
                assert self.folded is not None
                assert not self.folded.paused
                assert held_by(self.shard, self.folded, self.program) is None, "a flow that stands enters nothing"
            self.folded = evolve(self.folded, event)
        assert encode(self.folded) == encode(decision.flow)
        assert sum(isinstance(event, ExecutionYielded) for event in decision.events) <= 1, "what yields does nothing more"
        assert not decision.events or decision.flow is None or decision.events[-1].seq == decision.flow.seq
        self.flow = decision.flow
        self.history += decision.events
        self.jobs += [e for e in decision.effects if isinstance(e, DispatchJob)]
        self.replies += [e for e in decision.effects if isinstance(e, Reply)]
        self.sent += [e for e in decision.effects if isinstance(e, SendCommand)]
        self.offset += 1
        return decision

    def start(self, given: Any = None, **fields: Any) -> Decision:
        return self.do(Start("orders", 1, "h", given, **fields))

    def complete(self, output: Any = None, job: int = -1) -> Decision:
        return self.do(Complete(self.jobs[job].token, output))

    def fail(self, error: str | None = "Broken", cause: str | None = "it broke", job: int = -1) -> Decision:
        return self.do(Fail(self.jobs[job].token, error, cause))

    def dispatched(self, job: int = -1) -> Decision:
        return self.do(Dispatched(self.jobs[job].token))

    def at(self, after_ms: int) -> None:
        """Sets the clock to so long after the first command."""
        self.shard.clock_ms = T0 + after_ms

    def fire(self, after_ms: int) -> Decision:
        self.at(after_ms)
        return self.do(Fire(T0 + after_ms))

    def hold(self, subject: str = "blueprint:orders", *, freeze: bool = True) -> None:
        self.shard.holds[subject] = HoldRecord(1, True, self.shard.clock_ms, freeze)

    def lift(self, subject: str = "blueprint:orders") -> Decision:
        """Lifts a hold and wakes its flows at once."""
        self.unhold(subject)
        return self.wake(len(self.shard.waking) - 1)

    def unhold(self, subject: str = "blueprint:orders") -> None:
        """Lifts a hold; its flows are yet to be woken."""
        hold = self.shard.holds[subject]
        self.shard.holds[subject] = HoldRecord(2, False)
        self.shard.waking.append(Waking(subject, hold.since_ms, hold.freeze))

    def wake(self, number: int = 0) -> Decision:
        """The cursor of a lifted hold comes to the flow, which is the shard's last."""
        waking = self.shard.waking[number]
        waking.cursor = self.flow_id
        applied = self.flow is not None and waking.subject in subjects_of(self.flow, self.program)
        decision = self.do(Wake(waking.since_ms, waking.freeze)) if applied else Decision(self.flow, [], [])
        del self.shard.waking[number]
        return decision

    @property
    def living(self) -> Flow:
        assert self.flow is not None
        return self.flow

    @property
    def status(self) -> str:
        return self.living.status

    @property
    def root(self) -> Branch:
        return self.living.branches[0]

    @property
    def due(self) -> int:
        """The next timer, after the first command's time; negative where there is none."""
        return next_due_ms(self.living) - T0

    @property
    def output(self) -> Any:
        """Of a flow that somebody waits for."""
        return self.replies[-1].output

    def names(self, last: int = 0) -> list[str]:
        """The history's event names; with ``last`` only so many."""
        return [name_of(event) for event in self.history[-last:]]
