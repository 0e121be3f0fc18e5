"""The committed history, folded as it grows, and held against all that must be so of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from sfc.engine import events as e
from sfc.engine.evolve import evolve, kept
from sfc.engine.flow import Flow
from sfc.engine.shard import version_subjects
from sfc.testing.simulation.agreements import HeldAnswers, wrong_attempt, wrong_child
from sfc.testing.simulation.awaited import Awaited
from sfc.testing.simulation.commands_seen import CommandsSeen
from sfc.wire.history import HistoryRecord
from sfc.wire.state import encode_flow

_ENDS = (e.ExecutionSucceeded, e.ExecutionFailed, e.ExecutionTimedOut, e.ExecutionAborted)
_OUTCOMES = (e.TaskSucceeded, e.TaskFailed, e.TaskTimedOut)
_STATUS = {"ExecutionSucceeded": "SUCCEEDED", "ExecutionFailed": "FAILED", "ExecutionTimedOut": "TIMED_OUT", "ExecutionAborted": "ABORTED"}

Fail = Callable[[str, str], None]

BY_KEY = "task:weigh@"
"""A task whose answers name only their flow: a late answer to an earlier attempt is taken for the current one."""


class Life:
    """The latest life of a flow id. ``ended``: by which event, "" while it runs."""

    __slots__ = ("ended", "events", "flow", "id", "run", "seq", "shard", "since", "subjects")

    def __init__(self, id: str, run: int, shard: int) -> None:
        self.id = id
        self.run = run
        self.since = run  # offset of its start, or of its last end: what held it before holds it no more
        self.shard = shard
        self.seq = 0
        self.flow: Flow | None = None
        self.ended = ""
        self.subjects: tuple[str, ...] = ()
        self.events: list[e.AnyEvent] = []

    @property
    def waits_for_children(self) -> bool:
        return self.flow is not None and not self.ended and any(b.child or b.phase == "spread" for b in self.flow.branches.values())


class Histories:
    """``fail`` is told what is broken. ``groups``: of blueprints, by name."""

    def __init__(self, commands: CommandsSeen, fail: Fail, groups: dict[str, str]) -> None:
        self._commands = commands
        self._fail = fail
        self._held_answers = HeldAnswers()
        self._awaited = Awaited(commands)
        self._topics: set[str] = set()  # tokens of topic states
        self._told: dict[tuple[str, int], str] = {}  # the status that the latest summary of a life says, since the last look
        self._groups = groups
        self.lives: dict[str, Life] = {}
        self.all: dict[tuple[str, int], Life] = {}
        self.outcomes: dict[str, int] = {}
        self.signals: set[str] = set()  # tokens of waits for a signal
        self._by_key: set[str] = set()
        self.origins: Counter[tuple[str, str, int, int]] = Counter()
        self.dispatched: list[tuple[Life, e.TaskScheduled]] = []  # since the last look

    def take(self, record: HistoryRecord, shard: int) -> None:
        life = self.all.get((record.flow, record.run))
        if life is None:
            before = self.lives.get(record.flow)
            if before is not None and before.flow is not None and kept(before.flow):
                self._fail("one-life-at-a-time", f"{record.flow} began run {record.run} while run {before.run} was kept")
            life = self.all[record.flow, record.run] = self.lives[record.flow] = Life(record.flow, record.run, shard)
        if record.first != record.events[0].seq:
            self._fail("dense-sequence", f"a record of {record.flow} says that it begins with {record.first}, not {record.events[0].seq}")
        for event in record.events:
            self._event(life, event)
        self._told[record.flow, record.run] = record.summary.status

    def look(self) -> None:
        """At lives of which something was told, when all records of an interval have been taken: a decision may stand in several."""
        for key, status in self._told.items():
            life = self.all[key]
            flow = life.flow
            if flow is None:
                continue
            if left := self._held_answers.left(flow):
                self._fail("held-answers-are-taken", f"{life.id} went on, and {left} is open though its answer was there")
            if alone := self._awaited.left(flow):
                self._fail("children-are-awaited-or-stopped", f"{life.id} does not wait for {alone} any more, which run on")
            if status != flow.status:
                self._fail("summary-is-fold", f"{life.id}: the summary says {status}, the fold {flow.status}")
        self._told.clear()

    def _event(self, life: Life, event: e.AnyEvent) -> None:
        if event.seq != life.seq + 1:
            self._fail("dense-sequence", f"{life.id} run {life.run}: event {event.seq} ({type(event).__name__}) came behind {life.seq}")
        life.seq = event.seq
        if life.events and event.offset < life.events[-1].offset:
            self._fail("events-in-order", f"{life.id}: event {event.seq} is of offset {event.offset}, before {life.events[-1].offset}")
        if event.offset >= len(self._commands.by_offset[life.shard]):
            self._fail("events-of-commands", f"{life.id}: event {event.seq} is of offset {event.offset}, where no command is")
        self._lifecycle(life, event)
        self._timers(life, event)
        self._tokens(life, event)
        self._holds(life, event)
        if life.flow is not None:
            self._held_answers.before(life.flow, event)
            if wrong_attempt(life.flow, event):
                self._fail("attempts-begin-anew", f"{life.id}: a state was entered, and its first job {event.seq} is not its first attempt")
        life.flow = evolve(life.flow, event)
        life.events.append(event)

    def _lifecycle(self, life: Life, event: e.AnyEvent) -> None:
        if isinstance(event, e.ExecutionStarted):
            if event.seq != 1 or event.offset != life.run:
                self._fail("run-is-offset", f"{life.id} run {life.run} was started at offset {event.offset}, as event {event.seq}")
            group = self._groups.get(event.blueprint)
            above = event.parent.subjects if event.parent is not None else ()
            life.subjects = (*version_subjects(event.blueprint, event.version), *((f"group:{group}",) if group else ()), *above)
            if event.parent is not None and (name := wrong_child(life.id, event.blueprint, event.parent)):
                self._fail("children-are-named-by-their-jobs", f"{life.id} is a child that should be called {name}")
            if event.origin is not None and event.origin.kind == "topic":
                seen = self._commands.by_offset[life.shard][event.offset]
                origin = seen.source.rpartition("/")[0], event.blueprint, event.origin.partition, event.origin.offset
                self.origins[origin] += 1
                if self.origins[origin] > 1:
                    self._fail("one-start-per-source-record", f"{event.origin} started {life.id} and another flow of {event.blueprint}")
            return
        if life.flow is None:
            self._fail("nothing-after-the-end", f"{life.id} run {life.run}: {type(event).__name__} and there is no flow")
            return
        if isinstance(event, _ENDS):
            if life.ended:
                self._fail("one-terminal-state", f"{life.id} run {life.run} ended by {life.ended}, and by {type(event).__name__}")
            life.ended = type(event).__name__
            life.since = event.offset
        elif isinstance(event, e.ExecutionRedriven):
            if not life.ended:
                self._fail("one-terminal-state", f"{life.id} run {life.run} was redriven while it ran")
            life.ended = ""
        elif life.ended and not isinstance(event, e.ExecutionForgotten):
            self._fail("nothing-after-the-end", f"{life.id} run {life.run}: {type(event).__name__} came behind {life.ended}")

    def _timers(self, life: Life, event: e.AnyEvent) -> None:
        flow = life.flow
        if flow is None:
            return
        due_ms = 0
        match event:
            case e.StateExited(kind="Wait", branch=branch) if flow.branches[branch].phase == "waiting":
                due_ms = flow.branches[branch].due_ms
            case e.TaskTimedOut(branch=branch):
                at = flow.branches[branch]
                due_ms = min(due for due in (at.due_ms, at.heartbeat_due_ms, 1 << 62) if due)
            case e.TaskScheduled(branch=branch) if flow.branches[branch].phase == "retrying":
                due_ms = flow.branches[branch].due_ms
            case e.ExecutionTimedOut() | e.ExecutionForgotten():
                due_ms = flow.due_ms
            case _:
                return
        if isinstance(event, e.TaskTimedOut) and flow.branches[event.branch].token in self._topics:
            self._fail("topic-states-end", f"{life.id}: event {event.seq} is the timeout of a topic state: nobody said that it was done")
        fired_ms = min(self._commands.fired_ms(life.shard, event.offset), event.at_ms)
        if due_ms > fired_ms:
            self._fail("no-timer-early", f"{life.id}: {type(event).__name__} {event.seq} was due at {due_ms} and came by {fired_ms}")

    def _tokens(self, life: Life, event: e.AnyEvent) -> None:
        flow = life.flow
        if isinstance(event, e.TaskScheduled):
            self.dispatched.append((life, event))
            if event.task.startswith("topic:"):
                self._topics.add(event.token)
            if event.token in self.outcomes:
                self._fail("one-token-per-job", f"token {event.token} was given out twice")
            if not event.token.startswith(f"{life.id}/{life.run}/{event.seq}/"):
                self._fail("token-names-its-job", f"{life.id} run {life.run} event {event.seq} has the token {event.token}")
            self.outcomes[event.token] = 0
            if event.task.startswith("signal:"):
                self.signals.add(event.token)
            elif event.task.startswith(BY_KEY):
                self._by_key.add(event.token)
        elif isinstance(event, _OUTCOMES) and flow is not None:
            token = flow.branches[event.branch].token
            self.outcomes[token] = self.outcomes.get(token, 0) + 1
            if self.outcomes[token] > 1:
                self._fail("one-outcome-per-token", f"job {token} has {self.outcomes[token]} outcomes; event {event.seq}")
            output = event.output if isinstance(event, e.TaskSucceeded) else None
            if isinstance(output, dict) and "of" in output and output["of"] != token and token not in self._by_key:
                self._fail("outcome-of-its-own-job", f"job {token} was answered with what belongs to {output['of']}")

    def _holds(self, life: Life, event: e.AnyEvent) -> None:
        flow = life.flow
        if flow is None:
            return
        subjects = life.subjects
        match event:
            case e.TaskScheduled(task=task) if task.startswith("task:"):
                subjects = (*subjects, task.partition("@")[0])
            case e.TaskScheduled() | e.TaskTimedOut() | e.ExecutionTimedOut():
                pass
            case e.StateExited(kind="Wait", branch=branch) if flow.branches[branch].phase == "waiting":
                pass
            case _:
                return
        held = self._commands.held(life.shard, event.offset, life.id, life.since, subjects)
        if held:
            what = "nothing-dispatched-while-held" if isinstance(event, e.TaskScheduled) else "no-timer-while-held"
            self._fail(what, f"{life.id}: {type(event).__name__} {event.seq} at offset {event.offset} while {held} was held")

    def state_of(self, flow_id: str) -> bytes | None:
        """What must stand in sfc.state by the history."""
        life = self.lives.get(flow_id)
        return encode_flow(life.flow) if life is not None and life.flow is not None and kept(life.flow) else None

    def ended(self) -> Counter[str]:
        return Counter(_STATUS[life.ended] for life in self.all.values() if life.ended)
