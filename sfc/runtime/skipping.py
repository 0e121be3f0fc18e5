"""What an operator does about a command that kills the lanes which decide it (EXACTLY-ONCE 26): leaves it out, or has it tried again.

Both take the shard's fence, as its owner would; so they are done only to a shard that has stopped, or is in its careful pass.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

from sfc.engine.shard import ShardState
from sfc.errors import NotPossible
from sfc.ports import Log, Partition, Record, Transaction
from sfc.runtime.attempts import careful
from sfc.runtime.letters import letter_of, send_letter
from sfc.runtime.shard_records import all_between, last_record
from sfc.wire.state import encode_shard, interval_headers, shard_key
from sfc.wire.topics import Names

REASON = "skipped"  # of the dead letter


class Skipped(NamedTuple):
    """A command that was left out. ``key``: its flow's id, mostly. ``flow``: of a tick, the flow whose timers do not fire any more until it
    has ended (stop it, or go on with it by hand); "" otherwise."""

    shard: int
    offset: int
    key: str
    flow: str


def skip_command(log: Log, names: Names, shard: int, offset: int) -> Skipped:
    """Leaves a command out: the shard goes on behind it, and it becomes a dead letter; in one transaction. An engine that has stopped the
    shard takes it again within seconds.

    Raises NotPossible when the shard is not before that command, or is none that stands; LogUnavailable.
    """
    record = _record_at(log, Partition(names.commands, shard), offset)

    def change(state: ShardState, fence: Transaction) -> Skipped:
        flow = state.trying  # of a tick alone
        if flow:
            state.passed_over = [*(f for f in state.passed_over if f != flow), flow]
        state.next_offset = offset + 1
        info = log.describe(names.commands)
        letter = letter_of(record, info.id if info else "", REASON, f"whoever decided it died: left out of shard {shard} by an operator")
        send_letter(fence, names, letter)
        return Skipped(shard, offset, (record.key or b"").decode("utf-8", "replace"), flow)

    return _changed(log, names, shard, offset, change)


def retry_command(log: Log, names: Names, shard: int, offset: int) -> None:
    """Has the command tried again, where something else was the cause. Raises as ``skip_command``."""
    _changed(log, names, shard, offset, lambda state, fence: Skipped(shard, offset, "", ""))


def _changed(log: Log, names: Names, shard: int, offset: int, change: Callable[[ShardState, Transaction], Skipped]) -> Skipped:
    _checked(_state_of(log, names, shard), shard, offset)  # before anybody is fenced
    fence = log.transaction(names.transactional_id(shard))
    try:
        state = _state_of(log, names, shard, fenced=True)
        _checked(state, shard, offset)
        fence.begin()
        done = change(state, fence)
        state.tries, state.trying = 0, ""
        state.interval += 1
        fence.send(names.state, encode_shard(state), shard_key(shard), interval_headers(state.interval), shard)
        fence.commit()
    finally:
        fence.close()
    return done


def _checked(state: ShardState, shard: int, offset: int) -> None:
    if not careful(state):
        raise NotPossible(
            f"shard {shard} goes on, at offset {state.next_offset}: only a command that killed its engines is skipped",
            hint="the engine's log says so as action=shard-stopped, with the command to type",
        )
    if state.next_offset != offset:
        raise NotPossible(f"shard {shard} stands at offset {state.next_offset}, not at {offset}", hint="name that one, if it is meant")


def _record_at(log: Log, partition: Partition, offset: int) -> Record:
    where = f"{partition.topic}-{partition.number}"
    if not log.starts([partition])[partition] <= offset < log.ends([partition])[partition]:
        raise NotPossible(f"{where} has no offset {offset}", hint="the engine's log names the shard and the offset, as SHARD@OFFSET")
    with closing(all_between(log, partition, offset, offset + 1)) as found:
        for record in found:
            return record
    raise NotPossible(f"offset {offset} of {where} holds no command")


def _state_of(log: Log, names: Names, shard: int, *, fenced: bool = False) -> ShardState:
    state = last_record(log, names, shard, fenced=fenced)
    if state is None:
        raise NotPossible(f"shard {shard} has no record in {names.state}: it never decided anything")
    return state
