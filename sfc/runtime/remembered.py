"""What a shard's record remembers of others: how far each source had come, and what is on hold. Both are bounded, since the record is
written with each interval; see docs/decisions/0016-what-a-shard-remembers-is-bounded.md."""

from __future__ import annotations

from sfc.engine.commands import Hold
from sfc.engine.limits import REASON_CHARACTERS_MAX
from sfc.engine.shard import HoldRecord, ShardState, Waking
from sfc.runtime.letters import Refused
from sfc.wire.commands import Received

SOURCES_BYTES_MAX = 2 * 1024 * 1024  # of their names
COUNTED_FROM = 1_000  # sources: from then on the day is kept on which each was heard
SILENT_DAYS = 30  # then a source may be forgotten, where there is no room for another
HOLDS_MAX = 10_000  # subjects
SHORT_FROM = 500  # holds: from then on reasons are short
SHORT_CHARACTERS_MAX = 100
_DAY_MS = 86_400_000
_BESIDE_BYTES = 60  # a mark, and the day


def is_new(state: ShardState, received: Received) -> bool:
    """Whether the command's source had not come so far yet (EXACTLY-ONCE 3). Raises Refused where there is no room for a new source."""
    source, mark, marks = received.source, received.mark, state.marks
    known = marks.get(source)
    if known is None:
        if len(marks) >= COUNTED_FROM:
            _make_room(state, source)
    elif mark <= known:
        state.repeated += 1
        return False
    marks[source] = mark
    if state.heard or len(marks) >= COUNTED_FROM:
        today = state.clock_ms // _DAY_MS
        if state.heard.get(source) != today:
            if not state.heard:
                state.heard = dict.fromkeys(marks, today)
            state.heard[source] = today
    return True


def _make_room(state: ShardState, source: str) -> None:
    """Forgets sources that were silent for long, where their names take too much room: whoever has not repeated himself since will not."""
    marks = state.marks
    if sum(map(len, marks)) + len(marks) * _BESIDE_BYTES + len(source) <= SOURCES_BYTES_MAX:
        return
    silent_since = state.clock_ms // _DAY_MS - SILENT_DAYS
    for old in [name for name, day in state.heard.items() if day <= silent_since]:
        del marks[old], state.heard[old]
    if sum(map(len, marks)) + len(marks) * _BESIDE_BYTES + len(source) > SOURCES_BYTES_MAX:
        raise Refused(
            "too-many-sources",
            f"the shard remembers {len(marks)} sources of commands, heard within {SILENT_DAYS} days, and has no room for {source[:200]!r}:"
            " is somebody writing to this topic who should not? Its ACLs say who may",
        )


def take_hold(state: ShardState, hold: Hold) -> None:
    """Takes one subject's whole state; an older revision says nothing new. Raises Refused where there is no room for another subject."""
    known = state.holds.get(hold.subject)
    if known is not None and hold.revision <= known.revision:
        state.repeated += 1
        return
    if known is None and len(state.holds) >= HOLDS_MAX:
        _make_room_for_hold(state, hold)
    if not hold.held:
        state.holds[hold.subject] = HoldRecord(hold.revision, False)
        if known is not None and known.held:
            state.waking.append(Waking(hold.subject, known.since_ms, known.freeze))
        return
    same = known is not None and known.held and (known.freeze or not hold.freeze)  # timers that ran until now freeze from now on
    since_ms = known.since_ms if known is not None and same else state.clock_ms
    reason = hold.reason[: REASON_CHARACTERS_MAX if len(state.holds) < SHORT_FROM else SHORT_CHARACTERS_MAX]
    state.holds[hold.subject] = HoldRecord(hold.revision, True, since_ms, hold.freeze, reason)


def _make_room_for_hold(state: ShardState, hold: Hold) -> None:
    """Forgets the lifted hold of the lowest revision: it stands here only so that an older command for its subject says nothing new."""
    waking = {one.subject for one in state.waking}
    lifted = [(known.revision, subject) for subject, known in state.holds.items() if not known.held and subject not in waking]
    if not lifted:
        raise Refused("too-many-holds", f"{len(state.holds)} subjects are on hold, and no more can be: {hold.subject:.200} is not")
    del state.holds[min(lifted)[1]]
