"""Reads the history while it grows, and judges each flow by it: one life, one end, no event missing or doubled, one outcome per token."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from sfc.bootstrap import open_log
from sfc.engine import events as e
from sfc.errors import SfcError
from sfc.ports import Log, Partition
from sfc.settings import Settings
from sfc.wire.history import HistoryRecord, decode_history
from tests.acceptance.evidence import ENDS
from tests.chaos.documents import SHIPPED

BATCH = 2_000
DISPATCH_FAILED = "SFC.DispatchFailed"  # not a worker's outcome: its job was not taken by its topic
FINDINGS_KEPT = 1_000
PLACES = ("task:", "topic:")


class Seen:
    """What the history has told of one flow. ``accepted``: resource, token and outcome of each job that an answer closed; ``shipped``:
    tokens of the records that left in the transaction."""

    __slots__ = ("accepted", "children", "open", "run", "seq", "shipped", "status")

    def __init__(self, run: int) -> None:
        self.run = run
        self.seq = 0
        self.status = ""  # of its end
        self.open: dict[int, tuple[str, str]] = {}  # token and resource by branch
        self.accepted: list[tuple[str, str, str]] = []  # resource, token, outcome
        self.shipped: list[str] = []
        self.children = 0


class Judge:
    """Folds history records. ``findings``: what is wrong, each told once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.flows: dict[str, Seen] = {}
        self.findings: list[str] = []
        self.gaps = self.doubled = 0
        self.ended = 0  # flows that were started by somebody, not by another flow

    def take(self, record: HistoryRecord) -> None:
        with self._lock:
            self._take(record)

    def _take(self, record: HistoryRecord) -> None:
        seen = self.flows.get(record.flow)
        if seen is None:
            seen = self.flows[record.flow] = Seen(record.run)
        if record.run != seen.run:
            self.doubled += 1
            self._find(f"{record.flow} lived twice, as run {seen.run} and as run {record.run}")
            seen = self.flows[record.flow] = Seen(record.run)
        for event in record.events:
            self._event(record.flow, seen, event)

    def _event(self, flow: str, seen: Seen, event: e.AnyEvent) -> None:
        if event.seq <= seen.seq:
            self.doubled += 1
            self._find(f"{flow}: event {event.seq} comes again, after {seen.seq}")
            return
        if event.seq != seen.seq + 1:
            self.gaps += 1
            self._find(f"{flow}: event {event.seq} comes after {seen.seq}")
        seen.seq = event.seq
        if seen.status:
            self._find(f"{flow}: event {event.seq} comes after its end")
        match event:
            case e.TaskScheduled():
                if event.branch in seen.open:
                    self._find(f"{flow}: two jobs are open in branch {event.branch}")
                seen.open[event.branch] = event.token, event.task
                seen.children += event.task.startswith("blueprint:")
            case e.TaskSucceeded():
                self._close(flow, seen, event.branch, "SUCCEEDED")
            case e.TaskFailed():
                self._close(flow, seen, event.branch, event.error or "")
            case e.TaskTimedOut():
                self._close(flow, seen, event.branch, event.error)
        if isinstance(event, ENDS):
            seen.status = _STATUS[type(event)]
            self.ended += ":" not in flow.partition(":")[2]
            if seen.open:
                self._find(f"{flow} ended with open jobs")

    def _close(self, flow: str, seen: Seen, branch: int, outcome: str) -> None:
        if branch not in seen.open:
            self._find(f"{flow}: a job that was not open is closed in branch {branch}")
            return
        token, task = seen.open.pop(branch)
        if outcome == DISPATCH_FAILED:
            return
        if task.startswith("task:"):
            seen.accepted.append((task, token, outcome))
        elif task == f"topic:{SHIPPED}":
            seen.shipped.append(token)

    def _find(self, text: str) -> None:
        if len(self.findings) < FINDINGS_KEPT:
            self.findings.append(text)

    @property
    def open(self) -> list[str]:
        """Flows that have not ended."""
        with self._lock:
            return [flow for flow, seen in self.flows.items() if not seen.status]


_STATUS = {
    e.ExecutionSucceeded: "SUCCEEDED",
    e.ExecutionFailed: "FAILED",
    e.ExecutionTimedOut: "TIMED_OUT",
    e.ExecutionAborted: "ABORTED",
}


class Observer:
    """A thread that reads a topic's committed records from its beginning, whatever happens to the brokers."""

    def __init__(self, servers: str, topic: str) -> None:
        self.judge = Judge()
        self.read = 0
        self._servers, self._topic = servers, topic
        self._stop = threading.Event()
        self._positions: dict[Partition, int] = {}
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        log = open_log(Settings(kafka=self._servers))
        while not self._stop.is_set():
            try:
                self._follow(log)
            except SfcError:  # a broker that died: from where it stood
                self._stop.wait(0.5)
        log.close()

    def _follow(self, log: Log) -> None:
        if not self._positions:
            self._positions = log.starts([Partition(self._topic, n) for n in range(log.topics()[self._topic])])
        reader = log.reader(self._positions)
        try:
            while not self._stop.is_set():
                for record in reader.take(BATCH, 0.2):
                    if record.value is not None:
                        self.judge.take(decode_history(record.value))
                    self._positions[Partition(record.topic, record.partition)] = record.offset + 1
                    self.read += 1
        finally:
            reader.close()


def read_outcomes(folder: Path) -> dict[str, set[str]]:
    """Outcomes by token, as the workers wrote them down; a line that was cut off by a kill is left out, its job is done again."""
    outcomes: dict[str, set[str]] = {}
    for file in folder.iterdir():
        for line in file.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                token, _, outcome = line.rstrip("\n").rpartition(" ")
                outcomes.setdefault(token, set()).add(outcome)
    return outcomes


def tokens_of(records: Sequence[bytes | None]) -> dict[str, int]:
    """How often each token stands there."""
    counted: dict[str, int] = {}
    for token in records:
        text = (token or b"").decode()
        counted[text] = counted.get(text, 0) + 1
    return counted
