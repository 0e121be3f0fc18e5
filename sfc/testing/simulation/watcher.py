"""Looks at the log after every step: everything that must be so of what is committed."""

from __future__ import annotations

from collections.abc import Callable

from sfc.adapters.embedded import EmbeddedLog
from sfc.engine.commands import Start
from sfc.engine.events import TaskScheduled
from sfc.engine.shard import ShardState
from sfc.testing.simulation.agreements import lacks_source
from sfc.testing.simulation.commands_seen import CommandsSeen
from sfc.testing.simulation.histories import Histories, Life
from sfc.testing.simulation.jobs_seen import JobsSeen
from sfc.testing.simulation.sources_seen import SourcesSeen
from sfc.testing.simulation.tails import Tail
from sfc.wire import headers
from sfc.wire.history import decode_history
from sfc.wire.state import decode_shard
from sfc.wire.topics import Names


class Watcher:
    """``fail(invariant, detail)`` ends the run. ``job_topics``: where jobs go; ``once``: those of them whose readers see each once."""

    def __init__(
        self,
        log: EmbeddedLog,
        names: Names,
        shards: int,
        fail: Callable[[str, str], None],
        groups: dict[str, str],
        job_topics: tuple[str, ...],
        once: frozenset[str],
    ) -> None:
        self._fail = fail
        self._once = once
        self.job_topics = job_topics
        self.commands = CommandsSeen(shards)
        self.jobs = JobsSeen()
        self.histories = Histories(self.commands, fail, groups)
        self.shards: dict[int, ShardState] = {}
        self.states: dict[str, bytes | None] = {}
        self.intervals: dict[int, int] = {}  # that an operator has set
        self.committed: set[int] = set()  # shards, since somebody has asked
        self.torn: set[tuple[int, str]] = set()  # shards and keys of which a state is visible that was never committed
        self._commands = Tail(log, [names.commands])
        self._state = Tail(log, [names.state])
        self._history = Tail(log, [names.history])
        self._jobs = Tail(log, job_topics)
        self._log = log
        self._names = names
        self._sources = Tail(log, ["orders_in", names.control])
        self._letters = Tail(log, [names.dead_letters])
        self.sources = SourcesSeen()

    def look(self) -> None:
        """Reads what is new, and checks it."""
        for record in self._commands.new():
            seen = self.commands.take(record)
            if seen.command is not None and lacks_source(seen.command, seen.source):
                self._fail("commands-have-marks", f"{type(seen.command).__name__} to {seen.flow} at offset {record.offset} has no mark")
            if seen.counts:  # one that is dropped by its mark starts nothing
                self.sources.command(seen)
        self._look_at_sources()
        history = self._history.new()
        states = self._state.new()
        for record in self._jobs.new():
            wrong = self.jobs.take(record)
            if wrong:
                self._fail("copies-are-identical", wrong)
            if record.topic in self._once:
                for name, value in record.headers:
                    if name == "sfc-job" and self.jobs.copies[value.decode()] > 1:
                        self._fail("exactly-once-visible-once", f"job {value.decode()} is in {record.topic} twice")
        self._look_at_dispatched()
        if not history and not states:
            return
        touched: set[str] = set()
        for record in history:
            told = decode_history(record.value or b"")
            self.histories.take(told, record.partition)
            touched.add(told.flow)
        self.histories.look()
        for record in states:
            key = (record.key or b"").decode()
            if (record.partition, key) in self.torn:
                continue
            if key.startswith("/"):
                self._shard(decode_shard(record.value or b""))
            else:
                self.states[key] = record.value
                touched.add(key)
        for flow in sorted(touched):
            found, due = self.states.get(flow), self.histories.state_of(flow)
            if found != due:
                self._fail("fold-is-state", f"{flow} is {_short(found)} in sfc.state, and its history folds to {_short(due)}")
        self._effects()

    def _look_at_dispatched(self) -> None:
        """A record that is said to be committed can be seen, but where another shard's open transaction hides it."""
        for token in self.commands.dispatched:
            if not self.jobs.copies.get(token) and not self._jobs.held():
                self._fail("dispatched-is-visible", f"{token} is said to be dispatched, and it is in no topic")
        self.commands.dispatched.clear()

    def _look_at_sources(self) -> None:
        for record in self._sources.new():
            info = self._log.describe(record.topic)
            assert info is not None
            if record.topic == self._names.control:
                self.sources.control(record, info.id)
            else:
                self.sources.input(record, info.id)
        for record in self._letters.new():
            head = dict(record.headers)
            place = int(head[headers.ORIGIN_PARTITION]), int(head[headers.ORIGIN_OFFSET])
            self.sources.letter(head[headers.ORIGIN_TOPIC_ID].decode(), *place)

    def check_starts(self) -> None:
        """In the end: every start that counts has made a flow, unless there was one already, or its version is unknown; and what came to
        the wrong partition has been passed on."""
        for seen in self.commands.not_forwarded():
            place = f"offset {seen.record.offset} of {self._names.commands}-{seen.record.partition}"
            self._fail("strays-are-forwarded", f"the command to {seen.flow} at {place} was not passed on to the shard of its flow")
        for flow, starts in self.commands.starts.items():
            for seen in starts:
                command, offset = seen.command, seen.record.offset
                assert isinstance(command, Start)
                runs = [run for id, run in self.histories.all if id == flow and run <= offset]
                if not runs and command.version < 9 and command.definitions < 1_000_000:
                    self._fail("every-start-has-a-flow", f"the start at offset {offset} of {flow} has made no flow, and none was there")

    def _shard(self, state: ShardState) -> None:
        before = self.shards.get(state.number)
        self.shards[state.number] = state
        self.committed.add(state.number)
        held = {subject for subject, hold in state.holds.items() if hold.held}
        if held != (due := self.commands.subjects_held(state.number, state.next_offset)):
            self._fail("holds-are-the-latest", f"shard {state.number} holds {sorted(held)}, by its commands it should be {sorted(due)}")
        if before is None:
            return
        expected = self.intervals.pop(state.number, before.interval + 1)
        if state.interval != expected:
            self._fail("intervals-are-dense", f"shard {state.number} committed interval {state.interval} behind {before.interval}")
        if state.rules != before.rules and not (state.rules > before.rules and before.closed):
            self._fail("rules-change-over-a-closed-shard", f"shard {state.number} went from rules {before} to {state.rules}")
        if state.next_offset < before.next_offset or state.clock_ms < before.clock_ms:
            self._fail("positions-never-go-back", f"shard {state.number} went from {before} to {state}")

    def _effects(self) -> None:
        """Every job that a committed event names is in its topic, or the flow was told that it could not be. Another shard's open
        transaction may hide what is committed for a while."""
        hidden: list[tuple[Life, TaskScheduled]] = []
        for life, event in self.histories.dispatched:
            kind = event.task.partition(":")[0]
            if event.child:
                if event.child not in self.commands.starts:
                    self._fail("effects-exist", f"{life.id} committed that it starts {event.child}, and no start of it is on the log")
            elif kind in ("task", "topic") and not self.jobs.copies.get(event.token) and event.token not in self.commands.not_dispatched:
                if not self._jobs.held():
                    self._fail("effects-exist", f"{life.id} committed event {event.seq}, and its job {event.token} is in no topic")
                hidden.append((life, event))
        self.histories.dispatched[:] = hidden

    def renew(self, topic: str) -> None:
        """A topic was made again."""
        for tail in (self._jobs, self._sources):
            if topic in tail.topics:
                tail.renew(topic)


def _short(value: bytes | None) -> str:
    return "nothing" if value is None else value.decode()[:2_000]
