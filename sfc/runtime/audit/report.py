"""What an audit says: findings, each with a stable code, the flow that it is about and what was seen; and how much was looked at."""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct, field

Kind = Literal["lost", "doubled", "gap", "orphaned-job", "torn", "stuck", "broken"]


class Code(NamedTuple):
    """What a code counts as, and what it means."""

    kind: Kind
    meaning: str


CODES: dict[str, Code] = {
    "lost-start": Code("lost", "a start was taken by its shard, and there is no flow of it"),
    "lost-flow": Code("lost", "the history says that the flow is there, and the state has none"),
    "lost-history": Code("lost", "the state has the flow, and its last interval is not in the history"),
    "gap": Code("gap", "events are missing between two of a run"),
    "doubled-event": Code("doubled", "an event of a run is there twice"),
    "decided-twice": Code("doubled", "a command was decided in two intervals"),
    "two-ends": Code("doubled", "a run has ended twice"),
    "event-after-end": Code("doubled", "a run goes on after its end"),
    "two-outcomes": Code("doubled", "an outcome was accepted for a job that was not open"),
    "two-runs": Code("doubled", "a life of a flow began while an earlier one was there"),
    "orphaned-job": Code("orphaned-job", "a flow waits for a job whose record is not in its topic"),
    "stray-job": Code("broken", "a job is in its topic that no flow has scheduled"),
    "torn": Code("torn", "an interval is there in part only"),
    "no-shard-record": Code("torn", "a shard has flows and no record of its own"),
    "state-differs": Code("broken", "the state is not what the history gives"),
    "unfoldable": Code("broken", "an event does not fit the flow that the events before it give"),
    "unreadable": Code("broken", "a record can't be read"),
    "misplaced": Code("broken", "a record is on another shard's partition"),
    "position": Code("broken", "a shard stands where its commands are not"),
    "mark": Code("broken", "a shard has taken a command that its sender has not reached"),
    "late-timer": Code("stuck", "a timer was due long ago and has not fired"),
    "waits-for-child": Code("stuck", "a flow waits for a child that has ended, or never began"),
    "child-not-awaited": Code("stuck", "a child runs on though the flow above does not wait for it"),
}
"""Every code that a finding can have."""


class Finding(Struct, frozen=True, omit_defaults=True):
    """``run``: offset of the flow's start on its shard; -1 where no run is meant."""

    code: str
    detail: str
    flow: str = ""
    run: int = -1
    shard: int = -1

    @property
    def kind(self) -> Kind:
        return CODES[self.code].kind


class AuditReport(Struct):
    """``lost``, ``doubled`` and ``gaps`` count flows' findings, ``torn_shards`` shards. ``notes``: what was not looked at, and why."""

    clean: bool = True
    shards: int = 0
    flows: int = 0
    runs: int = 0
    events: int = 0
    open: int = 0
    starts: int = 0
    dead_letters: int = 0
    lost: int = 0
    doubled: int = 0
    gaps: int = 0
    orphaned_jobs: int = 0
    torn_shards: int = 0
    stuck: int = 0
    broken: int = 0
    unsettled: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def find(self, code: str, detail: str, flow: str = "", run: int = -1, shard: int = -1) -> None:
        """Takes a finding."""
        finding = Finding(code, detail, flow, run, shard)
        torn_before = any(known.kind == "torn" and known.shard == shard for known in self.findings) if finding.kind == "torn" else False
        self.findings.append(finding)
        self.clean = False
        match finding.kind:
            case "lost":
                self.lost += 1
            case "doubled":
                self.doubled += 1
            case "gap":
                self.gaps += 1
            case "orphaned-job":
                self.orphaned_jobs += 1
            case "torn":
                self.torn_shards += not torn_before
            case "stuck":
                self.stuck += 1
            case "broken":
                self.broken += 1


class Scope(NamedTuple):
    """What is looked at: all, or one shard, one flow, what was decided from a time on (inclusive) up to another (exclusive), in
    milliseconds since 1970; 0: no bound. ``from_offset`` and ``to_offset``: the same by the offsets of the commands of one shard, for what
    was decided in whole intervals. ``jobs``: whether each job in the job topics is looked for in the history too."""

    shard: int | None = None
    flow: str = ""
    from_ms: int = 0
    to_ms: int = 0
    jobs: bool = False
    from_offset: int = 0
    to_offset: int = 0
