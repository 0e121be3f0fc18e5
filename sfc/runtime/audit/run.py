"""The audit: shard by shard, then what reaches over shards."""

from __future__ import annotations

import time

from msgspec import json

from sfc.engine.flow import next_due_ms
from sfc.engine.ids import rfc3339
from sfc.engine.shard import ShardState, held_by
from sfc.errors import BadInput, MalformedRecord, TopicMissing
from sfc.ports import Log, Partition
from sfc.runtime.audit.history import History
from sfc.runtime.audit.links import Links, Scheduled, Waiting
from sfc.runtime.audit.reading import PAUSE_S, Progress, Steps, records, settled_ends
from sfc.runtime.audit.report import AuditReport, Scope
from sfc.runtime.audit.starts import Letters, Starts
from sfc.runtime.audit.states import States, Stored, interval_now, read_states
from sfc.runtime.definitions import Definitions
from sfc.wire.partition import partition_of
from sfc.wire.state import decode_flow
from sfc.wire.topics import Names

SETTLE_S = 15.0  # a commit becomes visible on one partition before the other
LATE_MS = 300_000
DIFFERENCES_SHOWN = 5


def _quiet(_done: int, _total: int) -> None:
    """Nobody looks."""


def audit(
    log: Log,
    names: Names,
    scope: Scope | None = None,
    *,
    progress: Progress = _quiet,
    settle_s: float = SETTLE_S,
    late_ms: int = LATE_MS,
) -> AuditReport:
    """Checks the invariants of everything in ``scope`` (None: of all). ``progress``: offsets read so far, and all that are to be read, as
    known by then. ``settle_s``: how long a commit may take to be seen on all its partitions. ``late_ms``: how late a timer may be.

    Raises TopicMissing when nothing of this namespace is there, BadInput for a shard that there is not, LogUnavailable.
    """
    topics = log.topics()
    if names.commands not in topics:
        raise TopicMissing(f"there is no topic {names.commands}", hint="SFC_NAMESPACE, SFC_KAFKA and SFC_DATA say where to look")
    definitions = Definitions(log, names)
    try:
        definitions.load()
        shards = definitions.settings.shards if definitions.settings is not None else topics[names.commands]
        return _Audit(log, names, scope or Scope(), shards, definitions, Steps(progress), settle_s, late_ms).run()
    finally:
        definitions.close()


class _Audit:
    """One run of it."""

    def __init__(
        self, log: Log, names: Names, scope: Scope, shards: int, definitions: Definitions, steps: Steps, settle_s: float, late_ms: int
    ) -> None:
        self._log = log
        self._names = names
        self._scope = scope
        self._shards = shards
        self._definitions = definitions
        self._steps = steps
        self._settle_s = settle_s
        self._late_ms = late_ms
        self._report = AuditReport()
        self._links = Links(shards)
        self._clocks: dict[int, tuple[int, int]] = {}  # by shard: from which time on its history is judged, and its clock
        self._now = not (scope.to_ms or scope.to_offset)  # the state is that of now: it is compared when the range reaches so far

    def run(self) -> AuditReport:
        numbers = self._numbers()
        self._expect(numbers)
        letters = Letters(self._log, self._names, self._steps)
        scheduled = self._scheduled() if self._scope.jobs else None
        for number in numbers:
            self._shard(number, letters, scheduled)
        report = self._report
        report.shards, report.dead_letters = len(numbers), letters.count
        if scheduled is not None:
            for number, (from_ms, clock_ms) in self._clocks.items():
                scheduled.judge(self._shards, number, clock_ms, from_ms, report, self._scope.flow)
        if self._now:
            self._links.judge(self._log, self._names, report, self._steps, self._settle_s)
        else:
            report.notes.append("the range ends before now: states, open jobs, timers and children are those of now, and not judged")
        if self._scope.flow:
            report.notes.append("one flow was asked for: what reaches over flows (children, commands decided twice) is not judged")
        elif self._scope.shard is not None:
            report.notes.append("one shard was asked for: children whose parents are on other shards are not judged")
        return report

    def _numbers(self) -> list[int]:
        scope = self._scope
        if (scope.from_offset or scope.to_offset) and scope.shard is None and not scope.flow:
            raise BadInput("offsets are those of one shard's commands: say which shard", hint="--shard N, or --flow ID")
        if scope.shard is not None and not 0 <= scope.shard < self._shards:
            raise BadInput(f"there is no shard {scope.shard}: this installation has {self._shards}, 0 to {self._shards - 1}")
        if scope.flow:
            home = partition_of(scope.flow.encode(), self._shards)
            if scope.shard not in (None, home):
                raise BadInput(f"the flow {scope.flow} is on shard {home}, not {scope.shard}")
            return [home]
        return list(range(self._shards)) if scope.shard is None else [scope.shard]

    def _expect(self, numbers: list[int]) -> None:
        partitions = [Partition(topic, n) for topic in (self._names.state, self._names.history, self._names.commands) for n in numbers]
        starts, ends = self._log.starts(partitions), self._log.ends(partitions)
        self._steps.expect(sum(ends[at] - starts[at] for at in partitions))

    def _scheduled(self) -> Scheduled:
        """SFC's own job topics, of all tasks and blueprints that are known. What users have may be shared with other installations."""
        definitions, names = self._definitions, self._names
        topics = {names.jobs, *(names.specific_jobs(name) for name in definitions.specific())}
        for name, head in list(definitions.heads.items()):
            for version in range(1, head.current + 1):
                program = definitions.program(name, version)
                topics |= {t.topic for t in program.targets.values() if names.is_own(t.topic)} if program is not None else set()
        return Scheduled(self._log, sorted(topics), self._scope.from_ms, self._steps)

    # -- one shard -------------------------------------------------------------------------------------------------------

    def _shard(self, number: int, letters: Letters, scheduled: Scheduled | None) -> None:
        log, names, scope, report = self._log, self._names, self._scope, self._report
        states = read_states(log, names, number, self._shards, report, self._steps, scope.flow)
        commands = Partition(names.commands, number)
        start, end = log.starts([commands])[commands], log.ends([commands], committed=False)[commands]
        if not self._record(number, states, start, end):
            return
        shard = states.shard
        upto = shard.interval if shard is not None else 0
        history = self._history(number, upto, scheduled is not None)
        self._torn(number, states, history)
        if shard is None:
            return  # nothing was ever decided here
        if scheduled is not None and history.scheduled is not None:
            scheduled.seen(history.scheduled)
        self._marks(number, shard)
        if self._now:
            self._links.read[number] = shard.next_offset, states.end
            self._flows(number, states, history)
        first = max(start, self._from_offset(commands))
        starts = Starts(number, self._shards, history, states, self._definitions, letters, report)
        starts.read(log, names, first, self._upto_offset(commands, min(shard.next_offset, end), history), self._steps, scope.flow)

    def _from_offset(self, commands: Partition) -> int:
        return self._log.offsets_at([commands], self._scope.from_ms)[commands] if self._scope.from_ms else self._scope.from_offset

    def _upto_offset(self, commands: Partition, position: int, history: History) -> int:
        """Starts are judged up to the shard's position, or to the last one whose events are within the range."""
        if self._scope.to_offset:
            return min(position, self._scope.to_offset, history.last_offset + 1)
        if not self._scope.to_ms:
            return position
        return min(position, self._log.offsets_at([commands], self._scope.to_ms)[commands], history.whole_to + 1)

    def _record(self, number: int, states: States, start: int, end: int) -> bool:
        """Checks the shard's own record; whether the rest can be judged."""
        report, names = self._report, self._names
        where = f"{names.commands}-{number}"
        shard = states.shard
        if shard is None:
            if states.was_written or start > 0:
                said = f"{names.state}-{number} {'has records' if states.was_written else 'is empty'}, none of them the shard's own"
                report.find("no-shard-record", f"{said}; {where} starts at offset {start}", shard=number)
                return False
            return True
        if states.highest > shard.interval:
            detail = f"{names.state}-{number} has records of interval {states.highest}, the shard's own record ends at {shard.interval}"
            report.find("torn", detail, shard=number)
        if shard.next_offset > end:
            detail = f"the shard stands at offset {shard.next_offset}, and {where} ends at {end}: it was truncated or made anew"
            report.find("position", detail, shard=number)
        elif shard.next_offset < start:
            detail = f"the shard stands at offset {shard.next_offset}, and {where} starts at {start}: commands were deleted before"
            report.find("position", f"{detail} an engine took them", shard=number)
        return True

    def _history(self, number: int, upto: int, schedules: bool) -> History:
        """The history up to where it ends now, or the range does."""
        log, scope = self._log, self._scope
        at = Partition(self._names.history, number)
        start = log.starts([at])[at]
        first = max(start, log.offsets_at([at], scope.from_ms)[at]) if scope.from_ms else start
        if start > 0 and not scope.from_ms:
            self._report.notes.append(f"{at.topic}-{number} starts at offset {start}: what was before is gone, and not judged")
        history = History(number, self._shards, upto, self._report, from_start=first == 0 and not scope.from_offset, scope=scope)
        history.scheduled = [] if schedules else None
        end = settled_ends(log, [at], self._settle_s)[at]
        last = min(end, log.offsets_at([at], scope.to_ms)[at]) if scope.to_ms else end
        history.cut = last < end
        from_ms = 0
        for record in records(log, at, first, last, self._steps):
            from_ms = from_ms or record.timestamp_ms
            history.take(record)
        self._clocks[number] = (from_ms if first else 0), 0
        return history

    def _torn(self, number: int, states: States, history: History) -> None:
        """History of an interval that the shard's record has not: the commit is not seen there yet, or never will be."""
        shard = states.shard
        if shard is not None:
            self._clocks[number] = self._clocks[number][0], shard.clock_ms
            if history.last_offset >= shard.next_offset:
                detail = f"the history has events of the command at offset {history.last_offset}, the shard stands at {shard.next_offset}"
                self._report.find("position", detail, shard=number)
        if not history.beyond:
            return
        highest, until_s = max(history.beyond), time.monotonic() + self._settle_s
        while (now := interval_now(self._log, self._names, number, states.end)) < highest and time.monotonic() < until_s:
            time.sleep(min(PAUSE_S, self._settle_s))
        if now < highest:
            known = max(now, shard.interval if shard is not None else 0)
            detail = f"{self._names.history}-{number} has records of interval {highest}, the shard's own record ends at {known}"
            self._report.find("torn", detail, shard=number)

    def _marks(self, number: int, shard: ShardState) -> None:
        """What another shard sent, it has on its own partition."""
        for source, mark in shard.marks.items():
            kind, _, sender = source.partition("/")
            if kind != "shard" or not sender.isdigit() or not mark or int(sender) >= self._shards:
                continue
            at = Partition(self._names.commands, int(sender))
            end = self._log.ends([at], committed=False)[at]
            if mark[0] >= end:
                detail = f"the shard has taken a command that shard {sender} sent for its offset {mark[0]}, and {at.topic}-{sender}"
                self._report.find("mark", f"{detail} ends at {end}", shard=number)

    # -- the flows of a shard --------------------------------------------------------------------------------------------

    def _flows(self, number: int, states: States, history: History) -> None:
        shard = states.shard
        assert shard is not None  # else there is no flow
        for flow, run in history.runs.items():
            if run.keeps and flow not in states.flows:
                detail = f"by its history (event {run.seq}, interval {run.interval}) it is {run.ended or 'running'}"
                self._report.find("lost-flow", f"{detail}, and {self._names.state}-{number} has no such flow", flow, run.run, number)
        for flow, stored in states.flows.items():
            try:
                self._flow(number, flow, stored, shard, history)
            except MalformedRecord as e:
                self._report.find("unreadable", f"{self._names.state}-{number}@{stored.offset}: {e.message}", flow, shard=number)

    def _flow(self, number: int, flow: str, stored: Stored, shard: ShardState, history: History) -> None:
        report, where = self._report, f"{self._names.state}-{number}@{stored.offset}"
        state = decode_flow(stored.value)
        run = history.runs.get(flow)
        covered = history.first_interval >= 0 and stored.interval > history.first_interval
        if history.judged_from == 0:
            covered = True
        if run is None or (run.run, run.interval) != (state.run, stored.interval):
            if covered:
                known = "nothing" if run is None else f"run {run.run} up to event {run.seq} in interval {run.interval}"
                detail = f"{where} is run {state.run} at event {state.seq}, written in interval {stored.interval}; the history has {known}"
                report.find("lost-history", detail, flow, state.run, number)
        elif run.whole:
            folded = history.folds.encoded(flow)
            if folded != stored.value:
                report.find("state-differs", f"{where}: {_difference(folded, stored.value)}", flow, state.run, number)
        elif run.seq != state.seq:
            report.find("state-differs", f"{where} is at event {state.seq}, the history at {run.seq}", flow, state.run, number)
        if not state.running:
            return
        report.open += 1
        program = self._definitions.program(state.blueprint, state.version)
        self._links.gather(state, number, program)
        due_ms = next_due_ms(state)
        if due_ms and due_ms < shard.clock_ms - self._late_ms and not state.paused and held_by(shard, state, program) is None:
            detail = f"a timer was due at {rfc3339(due_ms)}, {(shard.clock_ms - due_ms) // 1000} s before the shard's clock"
            self._links.late(Waiting(flow, state.run, number, "", due_ms), detail)


def _difference(folded: bytes | None, stored: bytes) -> str:
    """Which fields are not the same."""
    if folded is None:
        return "by its history nothing of the flow is kept"
    one, other = json.decode(folded), json.decode(stored)
    fields = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    if not fields:
        return "the same values, written differently"
    return ", ".join(f"{name} is {other.get(name)!r:.60}, by the history {one.get(name)!r:.60}" for name in fields[:DIFFERENCES_SHOWN])
