"""What flows wait for beyond their own shard: jobs in their topics, and children.

A flow is only judged when nothing about it is on its way: a command behind the position up to which its shard was read, or a newer state,
means that it moves.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

from sfc.engine.children import map_child
from sfc.engine.commands import ChildEnded
from sfc.engine.flow import Flow
from sfc.engine.program import Program
from sfc.engine.spread import jobs_of
from sfc.errors import MalformedRecord
from sfc.ports import Log, Partition, Record
from sfc.runtime.audit.reading import PAUSE_S, Steps, records, settled_ends
from sfc.runtime.audit.report import AuditReport
from sfc.wire import headers
from sfc.wire.commands import parse_token
from sfc.wire.partition import partition_of
from sfc.wire.topics import Names

CLOCKS_MS = 600_000  # a job's record has the producer's time, a flow the broker's


class Waiting(NamedTuple):
    """A flow that waits. ``since_ms``: at the latest since then the job is in its topic."""

    flow: str
    run: int
    shard: int
    state: str
    since_ms: int


class Awaited(NamedTuple):
    """A child that a flow waits for, with the token of the parent's job or Map."""

    parent: Waiting
    token: str


class Child(NamedTuple):
    """A child that runs."""

    run: int
    shard: int
    parent: str
    token: str


class Links:
    """Gathered shard by shard, then judged. ``read``: per shard the ends (commands, state) up to which it was read."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self.read: dict[int, tuple[int, int]] = {}
        self._jobs: dict[str, dict[str, Waiting]] = {}
        self._awaited: dict[str, Awaited] = {}
        self._children: dict[str, Child] = {}
        self._late: list[tuple[Waiting, str]] = []

    def gather(self, flow: Flow, shard: int, program: Program | None) -> None:
        """An open flow, as its shard was read."""
        if flow.parent is not None:
            self._children[flow.id] = Child(flow.run, shard, flow.parent.flow, flow.parent.token)
        answered = {(o.token, o.index if isinstance(o, ChildEnded) else -1) for o in flow.inbox}
        for branch in flow.branches.values():
            if not branch.token or (branch.token, -1) in answered:
                continue
            waiting = Waiting(flow.id, flow.run, shard, branch.state, branch.entered_ms)
            if branch.phase == "spread" and branch.map is not None:
                for index in branch.map.open:
                    if (branch.token, index) not in answered:
                        self._awaited[map_child(flow, branch.token, index)] = Awaited(waiting, branch.token)
                for token, of_map in jobs_of(branch, program).items() if program is not None else ():
                    if (token, -1) not in answered:
                        self._jobs.setdefault(of_map.topic, {})[token] = waiting
            elif branch.child:
                self._awaited[branch.child] = Awaited(waiting, branch.token)
            elif branch.phase == "job" and program is not None:
                target = program.targets.get(branch.state)
                if target is not None and target.topic:
                    self._jobs.setdefault(target.topic, {})[branch.token] = waiting

    def late(self, waiting: Waiting, detail: str) -> None:
        """A flow with a timer that was due long ago."""
        self._late.append((waiting, detail))

    def judge(self, log: Log, names: Names, report: AuditReport, steps: Steps, settle_s: float) -> None:
        """Says what does not hold together. ``settle_s``: how long what is open now may take to be committed."""
        self._judge_jobs(log, names, report, steps, settle_s)
        self._judge_children(log, names, report, steps)
        self._judge_timers(log, names, report, steps, settle_s)

    # -- jobs ------------------------------------------------------------------------------------------------------------

    def _judge_jobs(self, log: Log, names: Names, report: AuditReport, steps: Steps, settle_s: float) -> None:
        """Each job that is awaited is in its topic, or was too old to be kept there."""
        topics = log.topics()
        missing: dict[str, str] = {}
        for topic, jobs in sorted(self._jobs.items()):
            if topic not in topics:
                missing.update(dict.fromkeys(jobs, f"there is no topic {topic}"))
                continue
            partitions = [Partition(topic, n) for n in range(topics[topic])]
            oldest_ms = self._look_for(jobs, log, partitions, steps, settle_s)
            gone = {token for token, waiting in jobs.items() if waiting.since_ms < oldest_ms}
            if gone:
                report.notes.append(f"{len(gone)} jobs that flows wait for are older than what {topic} still has: not judged")
            missing.update(dict.fromkeys(jobs.keys() - gone, f"it is not in {topic}"))
        waiting_for = {token: self._jobs[topic][token] for topic in self._jobs for token in self._jobs[topic] if token in missing}
        moving = self._moving(log, names, waiting_for.values(), steps)
        for token, waiting in waiting_for.items():
            if waiting.flow in moving:
                report.unsettled += 1
                continue
            detail = f"it waits in {waiting.state!r} for the job {token}, and {missing[token]}"
            report.find("orphaned-job", detail, waiting.flow, waiting.run, waiting.shard)

    @staticmethod
    def _look_for(jobs: dict[str, Waiting], log: Log, partitions: list[Partition], steps: Steps, settle_s: float) -> int:
        """Takes out of ``jobs`` those that are there. Returns the time before which the topic may have lost some; 0: it is whole."""
        since_ms = max(0, min(waiting.since_ms for waiting in jobs.values()) - CLOCKS_MS)
        starts, ends = log.starts(partitions), settled_ends(log, partitions, settle_s)
        places = log.offsets_at(partitions, since_ms)
        info = log.describe(partitions[0].topic) if partitions else None
        oldest_ms = 2**62 if info is not None and "compact" in info.config.get("cleanup.policy", "") else 0
        for at in partitions:
            if starts[at] > 0:
                first = next(iter(records(log, at, starts[at], min(starts[at] + 1, ends[at]), Steps(_unseen))), None)
                oldest_ms = max(oldest_ms, 2**62 if first is None else first.timestamp_ms + CLOCKS_MS)
        for at in partitions:
            steps.expect(ends[at] - max(starts[at], places[at]))
            for record in records(log, at, max(starts[at], places[at]), ends[at], steps):
                token = headers.text(record.headers, headers.JOB)
                if token is not None:
                    jobs.pop(token, None)
                if not jobs:
                    return oldest_ms
        return oldest_ms

    # -- children --------------------------------------------------------------------------------------------------------

    def _judge_children(self, log: Log, names: Names, report: AuditReport, steps: Steps) -> None:
        """Who waits for a child has one that runs, and a child that runs has somebody who waits for it. Of shards that were not read
        nothing is said."""
        lonely = {
            child: awaited
            for child, awaited in self._awaited.items()
            if self._shard_of(child) in self.read and (child not in self._children or self._children[child].token != awaited.token)
        }
        forgotten = {
            flow: child
            for flow, child in self._children.items()
            if self._shard_of(child.parent) in self.read and (flow not in self._awaited or self._awaited[flow].token != child.token)
        }
        here = [Waiting(child, -1, self._shard_of(child), "", 0) for child in lonely]
        here += [awaited.parent for awaited in lonely.values()]
        here += [Waiting(flow, child.run, child.shard, "", 0) for flow, child in forgotten.items()]
        here += [Waiting(child.parent, -1, self._shard_of(child.parent), "", 0) for child in forgotten.values()]
        moving = self._moving(log, names, here, steps)
        for child_id, awaited in lonely.items():
            if child_id in moving or awaited.parent.flow in moving:
                report.unsettled += 1
                continue
            flow, run, shard, state, _ = awaited.parent
            detail = f"it waits in {state!r} for the child {child_id}, which does not run, and no answer of it is on its way"
            report.find("waits-for-child", detail, flow, run, shard)
        for flow, child in forgotten.items():
            if flow in moving or child.parent in moving:
                report.unsettled += 1
                continue
            detail = f"it was started by {child.parent}, which does not wait for it any more, and no stop is on its way"
            report.find("child-not-awaited", detail, flow, child.run, child.shard)

    # -- timers ----------------------------------------------------------------------------------------------------------

    def _judge_timers(self, log: Log, names: Names, report: AuditReport, steps: Steps, settle_s: float) -> None:
        """An engine that has just come back may be about to fire them."""
        until_s = time.monotonic() + settle_s
        flows = {waiting.flow for waiting, _ in self._late}
        while flows - (moving := self._moving(log, names, (waiting for waiting, _ in self._late), steps)) and time.monotonic() < until_s:
            time.sleep(min(PAUSE_S * 5, settle_s))
        for waiting, detail in self._late:
            if waiting.flow in moving:
                report.unsettled += 1
            else:
                report.find("late-timer", detail, waiting.flow, waiting.run, waiting.shard)

    # -- the moving end --------------------------------------------------------------------------------------------------

    def _shard_of(self, flow: str) -> int:
        return partition_of(flow.encode(), self._shards)

    def _moving(self, log: Log, names: Names, flows: Iterable[Waiting], steps: Steps) -> set[str]:
        """Those of the flows about which something came since their shard was read."""
        asked: dict[int, set[bytes]] = {}
        for waiting in flows:
            asked.setdefault(waiting.shard, set()).add(waiting.flow.encode())
        found: set[str] = set()
        for shard, keys in asked.items():
            if shard not in self.read:
                continue
            for topic, since in zip((names.commands, names.state), self.read[shard], strict=True):
                at = Partition(topic, shard)
                end = log.ends([at])[at]
                steps.expect(end - since)
                found |= {(r.key or b"").decode() for r in records(log, at, since, end, steps) if r.key in keys}
        return found


def _unseen(_done: int, _total: int) -> None:
    """A look that is not worth telling of."""


class Scheduled:
    """Where asked: whether each job in the job topics was scheduled by a flow. Keeps one number a job."""

    def __init__(self, log: Log, topics: Iterable[str], since_ms: int, steps: Steps) -> None:
        self._jobs: dict[int, tuple[str, int, str, int]] = {}
        counts = log.topics()
        for topic in topics:
            partitions = [Partition(topic, n) for n in range(counts.get(topic, 0))]
            places, ends = log.offsets_at(partitions, since_ms) if partitions else {}, log.ends(partitions) if partitions else {}
            for at in partitions:
                steps.expect(ends[at] - places[at])
                for record in records(log, at, places[at], ends[at], steps):
                    self._take(record)

    def _take(self, record: Record) -> None:
        token = headers.text(record.headers, headers.JOB)
        if token is not None:
            self._jobs[hash(token.rpartition("/")[0])] = (token, record.timestamp_ms, f"{record.topic}-{record.partition}", record.offset)

    def seen(self, scheduled: Iterable[tuple[str, int, int]]) -> None:
        """These jobs are in the history."""
        for flow, run, seq in scheduled:
            self._jobs.pop(hash(f"{flow}/{run}/{seq}"), None)

    def judge(self, shards: int, shard: int, clock_ms: int, from_ms: int, report: AuditReport, only: str = "") -> None:
        """The jobs of a shard's flows that are left, as far as their time is behind the shard's clock and within its history."""
        for key, (token, at_ms, place, offset) in list(self._jobs.items()):
            flow = token.partition("/")[0]
            if partition_of(flow.encode(), shards) != shard or (only and flow != only):
                continue
            del self._jobs[key]
            if from_ms <= at_ms <= clock_ms - 1_000:
                run = _run_of(token)
                report.find("stray-job", f"{place}@{offset} is the job {token}, and no event of a flow is", flow, run, shard)


def _run_of(token: str) -> int:
    try:
        return parse_token(token).run
    except MalformedRecord:
        return -1
