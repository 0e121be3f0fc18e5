"""What decide may see of its shard: time, and what is on hold. Read-only for decide; it changes by commands alone (EXACTLY-ONCE 9)."""

from __future__ import annotations

from msgspec import Struct, field


class HoldRecord(Struct, omit_defaults=True):
    """One subject's hold on this shard, at the registry's revision."""

    revision: int
    held: bool
    since_ms: int = 0
    freeze: bool = True
    reason: str = ""


class Waking(Struct, omit_defaults=True):
    """A lifted hold whose flows are being woken in order of their ids; those behind ``cursor`` still stand."""

    subject: str
    since_ms: int
    freeze: bool = True
    cursor: str = ""


class ShardState(Struct, omit_defaults=True):
    """The shard's own record in ``sfc.state`` (key ``/shard/<n>``)."""

    number: int
    next_offset: int = 0
    interval: int = 0  # number of the last committed interval
    clock_ms: int = 0  # the highest append time taken (EXACTLY-ONCE 6)
    rules: int = 0
    closed: bool = False  # given up cleanly: everything is committed (EXACTLY-ONCE 10)
    marks: dict[str, tuple[int, ...]] = field(default_factory=dict)  # the highest mark taken, per source
    holds: dict[str, HoldRecord] = field(default_factory=dict)
    waking: list[Waking] = field(default_factory=list)
    dropped_replies: int = 0  # answers to jobs that were closed
    repeated: int = 0  # commands that were taken before, by their mark
    dead_letters: int = 0


class Held(Struct, frozen=True):
    """What holds a flow, besides its own pause. ``freeze_since_ms``: since when its timers stand still; 0: they run."""

    subjects: tuple[str, ...]
    freeze_since_ms: int = 0


def held_by(shard: ShardState, flow_id: str, blueprint: str) -> Held | None:
    """The shard's holds on a flow, or None. A lifted hold still applies to flows behind its wake cursor."""
    if not shard.holds:
        return None
    subject = f"blueprint:{blueprint}"
    since: list[int] = []
    subjects: list[str] = []
    hold = shard.holds.get(subject)
    if hold is not None and hold.held:
        subjects.append(subject)
        if hold.freeze:
            since.append(hold.since_ms)
    for waking in shard.waking:
        if waking.subject == subject and flow_id > waking.cursor:
            subjects.append(subject)
            if waking.freeze:
                since.append(waking.since_ms)
    return Held(tuple(subjects), min(since, default=0)) if subjects else None
