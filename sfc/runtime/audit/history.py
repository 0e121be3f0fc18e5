"""The history of one shard, record by record: each run's events are dense, end once, and fold to a state.

``upto`` is the last interval that the state, as it was read, has; ``from_start``: nothing of the history is gone or left out.
"""

from __future__ import annotations

from collections import OrderedDict

from sfc.engine import events as e
from sfc.engine.evolve import evolve, kept
from sfc.engine.flow import Flow
from sfc.errors import MalformedRecord
from sfc.ports import Record
from sfc.runtime.audit.reading import interval_of
from sfc.runtime.audit.report import AuditReport, Scope
from sfc.wire.history import HistoryRecord, decode_history
from sfc.wire.partition import partition_of
from sfc.wire.state import decode_flow, encode_flow

_ENDS = (e.ExecutionSucceeded, e.ExecutionFailed, e.ExecutionTimedOut, e.ExecutionAborted)
_OUTCOMES = (e.TaskSucceeded, e.TaskFailed, e.TaskTimedOut)
FOLDS_DECODED_MAX = 20_000  # about 3 KB each; others are kept as bytes


class Run:
    """The latest life of a flow id, as far as the history has been read. ``whole``: its first event is there. ``gone``: offset of the
    command by which nothing of it was kept, -1 while something is. ``earlier``: the lives before, each with where it was gone."""

    __slots__ = ("earlier", "ended", "gone", "interval", "keeps", "run", "seq", "whole")

    def __init__(self, run: int, seq: int, whole: bool, earlier: tuple[tuple[int, int], ...]) -> None:
        self.run = run
        self.seq = seq  # of the last event
        self.whole = whole
        self.ended = ""  # by which event
        self.keeps = True  # something of it is in the state
        self.gone = -1
        self.interval = 0  # of the last record
        self.earlier = earlier

    def justifies(self, offset: int) -> bool:
        """Whether an earlier life, or this one, is the reason why a start at this offset made none."""
        lives = (*self.earlier, (self.run, self.gone))
        return any(run < offset and (gone < 0 or gone >= offset) for run, gone in lives)

    def has(self, offset: int) -> bool:
        """Whether a life began at this offset."""
        return self.run == offset or any(run == offset for run, _ in self.earlier)


class Folds:
    """The states that the histories give; those not looked at lately as bytes."""

    def __init__(self) -> None:
        self._recent: OrderedDict[str, Flow] = OrderedDict()
        self._packed: dict[str, bytes] = {}

    def take(self, flow: str) -> Flow | None:
        """The state, to be put back after it has been evolved."""
        found = self._recent.pop(flow, None)
        if found is not None:
            return found
        packed = self._packed.pop(flow, None)
        return None if packed is None else decode_flow(packed)

    def put(self, flow: str, state: Flow) -> None:
        self._recent[flow] = state
        if len(self._recent) > FOLDS_DECODED_MAX:
            name, oldest = self._recent.popitem(last=False)
            self._packed[name] = encode_flow(oldest)

    def encoded(self, flow: str) -> bytes | None:
        """The state as it must stand in ``sfc.state``."""
        state = self._recent.get(flow)
        return encode_flow(state) if state is not None else self._packed.get(flow)


class History:
    """Records of intervals behind ``upto`` are only noted (``beyond``)."""

    def __init__(self, shard: int, shards: int, upto: int, report: AuditReport, *, from_start: bool, scope: Scope) -> None:
        self.runs: dict[str, Run] = {}
        self.folds = Folds()
        self.first_interval = -1
        self.judged_from = 0  # what was decided before this command offset may have been in history that is gone
        self.last_offset = -1  # the highest command offset of an event
        self.beyond: dict[int, int] = {}  # by interval: how many records
        self.scheduled: list[tuple[str, int, int]] | None = None  # where asked: every job's flow, run and number
        self._shard = shard
        self._shards = shards
        self._upto = upto
        self._from_start = from_start
        self._report = report
        self._only = scope.flow.encode()
        self._from = scope.from_offset
        self._to = scope.to_offset
        self._interval = -1
        self._before = -1  # the highest command offset of the intervals before
        self.cut = False  # by time: records of the last interval may lie behind the range

    @property
    def whole_to(self) -> int:
        """The highest command offset of which all events were read."""
        return self._before if self.cut else self.last_offset

    def take(self, record: Record) -> None:
        interval = interval_of(record)
        where = f"{record.topic}-{record.partition}@{record.offset}"
        if record.value is None or interval < 0:
            self._find("unreadable", f"{where} is no history of SFC's: it has {'no interval' if interval < 0 else 'no value'}")
            return
        if interval > self._upto:
            self.beyond[interval] = self.beyond.get(interval, 0) + 1
            return
        if self._only and record.key != self._only:
            return
        try:
            found = decode_history(record.value)
        except MalformedRecord as error:
            self._find("unreadable", f"{where}: {error.message}")
            return
        if found.events and not self._meant(found.events):
            return
        if partition_of(found.flow.encode(), self._shards) != self._shard:
            self._find("misplaced", f"{where} tells of a flow of another shard", found.flow, found.run)
            return
        self._place(found, interval, where)
        for event in found.events:
            self._event(found, event, interval)

    def _meant(self, events: list[e.AnyEvent]) -> bool:
        """Whether some of them are within the range of command offsets."""
        return events[-1].offset >= self._from and (not self._to or events[0].offset < self._to)

    def _place(self, found: HistoryRecord, interval: int, where: str) -> None:
        """Command offsets grow from interval to interval: one that comes again was decided again."""
        if not found.events:
            return
        first, last = found.events[0].offset, found.events[-1].offset
        if self.first_interval < 0:
            self.first_interval = interval
        if interval != self._interval:
            self._before = max(self._before, self.last_offset)
            if interval < self._interval:
                self._find("torn", f"{where} is of interval {interval} and comes behind interval {self._interval}", found.flow, found.run)
            self._interval = interval
        if first <= self._before:
            detail = f"{where}: the command at offset {first} was decided in interval {interval}, and up to {self._before} before it"
            self._find("decided-twice", detail, found.flow, found.run)
        self.last_offset = max(self.last_offset, last)
        if interval == self.first_interval and not self._from_start:
            self.judged_from = self.last_offset + 1

    def _event(self, found: HistoryRecord, event: e.AnyEvent, interval: int) -> None:
        self._report.events += 1
        run = self.runs.get(found.flow)
        if run is None or run.run != found.run:
            run = self._begin(found, event, run)
        elif not self._follows(found, event, run):
            return
        run.interval = interval
        if isinstance(event, _ENDS):
            run.ended = type(event).__name__
            run.keeps = event.keep_until_ms > 0
        elif isinstance(event, e.ExecutionRedriven):
            run.ended = ""
        elif isinstance(event, e.ExecutionForgotten):
            run.keeps = False
        if not run.keeps and run.gone < 0:
            run.gone = event.offset
        if self.scheduled is not None and isinstance(event, e.TaskScheduled | e.ItemReaderScheduled | e.ResultWriterScheduled):
            self.scheduled.append((found.flow, found.run, event.seq))
        if run.whole:
            self._fold(found, event, run)

    def _begin(self, found: HistoryRecord, event: e.AnyEvent, known: Run | None) -> Run:
        earlier: tuple[tuple[int, int], ...] = ()
        if known is not None:
            earlier = (*known.earlier, (known.run, known.gone))
            if known.run > found.run or known.gone < 0 or known.gone > found.run:
                detail = f"run {found.run} is told of while run {known.run} was there"
                self._find("two-runs", detail, found.flow, found.run)
        else:
            self._report.flows += 1
        self._report.runs += 1
        self.folds.take(found.flow)
        whole = isinstance(event, e.ExecutionStarted) and event.seq == 1
        if not whole and found.run >= self.judged_from:
            self._find("gap", f"the run begins with event {event.seq}: what was before is missing", found.flow, found.run)
        run = self.runs[found.flow] = Run(found.run, event.seq, whole, earlier)
        return run

    def _follows(self, found: HistoryRecord, event: e.AnyEvent, run: Run) -> bool:
        """Whether the event is the next one of its run."""
        expected = run.seq + 1
        if event.seq < expected:
            self._find("doubled-event", f"event {event.seq} ({e.name_of(event)}) comes again behind {run.seq}", found.flow, found.run)
            return False
        if event.seq > expected:
            missing = f"event {expected} is" if event.seq == expected + 1 else f"events {expected} to {event.seq - 1} are"
            self._find("gap", f"{missing} missing before {event.seq} ({e.name_of(event)})", found.flow, found.run)
            run.whole = False
            self.folds.take(found.flow)
        run.seq = event.seq
        if not run.ended:
            return True
        if isinstance(event, _ENDS):
            self._find("two-ends", f"{run.ended}, and by event {event.seq} {type(event).__name__}", found.flow, found.run)
        elif not run.keeps or not isinstance(event, e.ExecutionRedriven | e.ExecutionForgotten):
            self._find("event-after-end", f"event {event.seq} ({e.name_of(event)}) comes behind {run.ended}", found.flow, found.run)
        else:
            return True
        run.whole = False
        self.folds.take(found.flow)
        return True

    def _fold(self, found: HistoryRecord, event: e.AnyEvent, run: Run) -> None:
        state = self.folds.take(found.flow) if event.seq > 1 else None
        try:
            if isinstance(event, _OUTCOMES) and (state is None or state.branches[event.branch].phase != "job"):
                self._find("two-outcomes", f"event {event.seq} ({e.name_of(event)}) is of no open job", found.flow, found.run)
            state = evolve(state, event)
        except Exception as error:  # whatever it is that does not fit
            said = f"event {event.seq} ({e.name_of(event)}) does not fit: {type(error).__name__}"
            self._find("unfoldable", said, found.flow, found.run)
            run.whole = False
            return
        if state is not None and kept(state):
            self.folds.put(found.flow, state)

    def _find(self, code: str, detail: str, flow: str = "", run: int = -1) -> None:
        self._report.find(code, detail, flow, run, self._shard)
