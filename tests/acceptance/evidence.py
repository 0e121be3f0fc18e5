"""What is left of a run: the ledgers that the workers wrote, and the history on the log. Flows are judged by these alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from sfc.engine import events as e
from sfc.ports import Log, Partition, Record
from sfc.wire.history import HistoryRecord, decode_history

Ledger = dict[str, set[str]]
"""Outcomes by job token."""

ENDS = (e.ExecutionSucceeded, e.ExecutionFailed, e.ExecutionTimedOut, e.ExecutionAborted)


def read_ledger(folder: Path) -> Ledger:
    """What all workers did. The last line of one that was killed may be cut off; its job is done again by another."""
    ledger: Ledger = defaultdict(set)
    for file in folder.iterdir():
        for line in file.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                token, outcome = line.split()
                ledger[token].add(outcome)
    return ledger


def read_topic(log: Log, topic: str) -> list[Record]:
    """Everything committed, in order of each partition."""
    partitions = [Partition(topic, number) for number in range(log.topics()[topic])]
    ends = log.ends(partitions)
    reader = log.reader(log.starts(partitions))
    records: list[Record] = []
    try:
        while any(reader.position(p) < end for p, end in ends.items()):
            records += reader.take(1_000, 1.0)
    finally:
        reader.close()
    return records


def read_histories(log: Log, topic: str) -> dict[str, list[HistoryRecord]]:
    """By flow, in order."""
    histories: dict[str, list[HistoryRecord]] = defaultdict(list)
    for record in read_topic(log, topic):
        if record.value is not None:
            one = decode_history(record.value)
            histories[one.flow].append(one)
    return histories


def judge(history: Sequence[HistoryRecord], ledger: Mapping[str, set[str]]) -> str:
    """The end of a flow, after its history has been checked: started once and ended once, its events numbered without a gap, and every
    accepted outcome one that a worker wrote down for that very job."""
    flow = history[0].flow
    assert {one.run for one in history} == {history[0].run}, f"{flow} lived more than once"
    assert all(one.first == one.events[0].seq for one in history), f"{flow}: a record with a wrong first number"
    events = [event for one in history for event in one.events]
    assert [event.seq for event in events] == list(range(1, len(events) + 1)), f"{flow}: events are missing or repeated"
    assert sum(isinstance(event, e.ExecutionStarted) for event in events) == 1, f"{flow} started more than once"
    assert isinstance(events[0], e.ExecutionStarted)
    assert sum(isinstance(event, ENDS) for event in events) == 1, f"{flow} ended more than once, or never"
    assert isinstance(events[-1], ENDS)
    open_jobs: dict[int, str] = {}
    for event in events:
        match event:
            case e.TaskScheduled():
                assert event.branch not in open_jobs, f"{flow}: two jobs are open in one branch"
                open_jobs[event.branch] = event.token
            case e.TaskSucceeded():
                assert ledger.get(open_jobs.pop(event.branch)) == {"SUCCEEDED"}, f"{flow}: event {event.seq} is not what a worker did"
            case e.TaskFailed():
                assert ledger.get(open_jobs.pop(event.branch)) == {event.error}, f"{flow}: event {event.seq} is not what a worker did"
            case e.TaskTimedOut():
                del open_jobs[event.branch]
    assert not open_jobs, f"{flow} ended with open jobs"
    return history[-1].summary.status
