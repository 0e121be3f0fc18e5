"""Which command kills the lanes that decide it (EXACTLY-ONCE 26, decision 17).

A lane that takes a shard on which commands wait says so in the shard's record first, and the next commit takes it back: so a death before
any progress is seen by whoever comes next, and nothing is written per command. After two of them the commands that the dead may have had
in hand are decided one at a time, each with a commit of its own (the careful pass). Whoever finds that three died there of one and the
same command stops the shard before it. Engines that are killed from outside, or that lose a shard, look the same: hence so many.
"""

from __future__ import annotations

from sfc.engine.shard import ShardState
from sfc.errors import ShardStopped

TRIES_MAX = 2
CAREFUL_TRIES_MAX = 3
IN_HAND_MAX = 10_000  # commands that a lane can have taken since its last commit


class Attempts:
    """Of one process; the lanes that it makes one after the other share it. ``life`` names the process, and no other has its name.

    What a process outlived was not the command's doing, unless deciding it raised.
    """

    def __init__(self, life: str, careful_tries_max: int = CAREFUL_TRIES_MAX) -> None:
        self._life = life
        self._careful_tries_max = careful_tries_max
        self._raised: set[int] = set()

    def raised(self, shard: int) -> None:
        """Something that decide does not catch came out of a command of this shard, and took the lane with it."""
        self._raised.add(shard)

    def begin(self, state: ShardState, end: int, *, closed: bool) -> bool:
        """What is to be noted before commands up to ``end`` are decided. Whether the record has changed and must be written first.
        ``closed``: the last owner gave the shard up cleanly. Raises ShardStopped."""
        raised = state.number in self._raised
        self._raised.discard(state.number)
        if state.next_offset >= end:
            return False
        if state.tries:
            if not raised and (closed or state.tried_by == self._life):
                return False
            if careful(state):
                if state.tries >= self._careful_tries_max:
                    raise ShardStopped(stopped_before(state, f"{state.tries} engines died of it one after the other"))
            elif state.tries >= TRIES_MAX:
                state.careful_until = min(end, state.next_offset + IN_HAND_MAX)
                state.tries = 0
        state.tries += 1
        state.tried_by = self._life
        return True


def careful(state: ShardState) -> bool:
    """Whether the next command is to be decided alone."""
    return state.next_offset < state.careful_until


def got_on(state: ShardState) -> None:
    """Before a commit: what was tried is done."""
    if state.tries or state.careful_until:
        state.tries, state.tried_by, state.trying = 0, "", ""
        if not careful(state):
            state.careful_until = 0


def stopped_before(state: ShardState, why: str) -> str:
    """What an operator is told."""
    place = f"{state.number}@{state.next_offset}"
    at_flow = f", at the timer of the flow {state.trying}," if state.trying else ""
    return (
        f"shard {state.number} stops before its command at offset {state.next_offset}: {why}{at_flow} and no other shard is concerned."
        f" `sfc doctor --skip {place}` leaves the command out (it becomes a dead letter), and the shard goes on;"
        f" `sfc doctor --retry {place}` has it tried again, where something else was the cause"
    )
