"""An operator's word that a shard which an older release left unclosed may be decided by this one's rules (EXACTLY-ONCE 10)."""

from __future__ import annotations

import time
from typing import NamedTuple

from sfc.engine.rules import RULES
from sfc.engine.shard import ShardState
from sfc.errors import NotPossible
from sfc.ports import Log
from sfc.runtime.interval import write_record
from sfc.runtime.shard_records import last_record
from sfc.wire.topics import Names

WATCHED_S = 1.0


class Accepted(NamedTuple):
    """``position``: the commands from there on an engine of the older release may have decided without committing; what it then sent may be
    on the log beside what this release decides of them."""

    shard: int
    from_rules: int
    to_rules: int
    position: int


def accept_rules(log: Log, names: Names, shard: int, *, watched_s: float = WATCHED_S) -> Accepted:
    """Writes this release's rules number into the shard's record, in a transaction of its owner's. Engines of this release take it then.

    Raises NotPossible where it is not needed, not allowed (a newer release's), or where the shard goes on: an engine of its release has it.
    """
    before = _checked(last_record(log, names, shard), shard)
    time.sleep(watched_s)  # an engine that is at work commits several times a second
    now = _checked(last_record(log, names, shard), shard)
    if now.interval != before.interval:
        raise NotPossible(
            f"shard {shard} goes on: an engine of rules number {now.rules} has it",
            hint="stop that engine cleanly, and nothing has to be accepted",
        )
    fence = log.transaction(names.transactional_id(shard))
    try:
        state = _checked(last_record(log, names, shard, fenced=True), shard)
        was, state.rules = state.rules, RULES
        write_record(fence, names, state)
    finally:
        fence.close()
    return Accepted(shard, was, RULES, state.next_offset)


def _checked(state: ShardState | None, shard: int) -> ShardState:
    if state is None:
        raise NotPossible(f"shard {shard} has no record of its own: it never decided anything, or its state was lost", hint="`sfc audit`")
    if state.rules == RULES:
        raise NotPossible(
            f"shard {shard} has rules number {RULES} already, which is this release's", hint="`sfc doctor` says what else is wrong"
        )
    if state.rules > RULES:
        raise NotPossible(
            f"shard {shard} was decided by rules number {state.rules}, this release has {RULES} and never takes it",
            hint="run engines of the newer release",
        )
    if state.closed:
        raise NotPossible(f"shard {shard} is closed: an engine of this release takes it without that", hint="sfc engine")
    return state
