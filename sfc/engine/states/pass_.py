"""Pass: its Result, or its effective input, goes on at once."""

from __future__ import annotations

from sfc.asl import Failure, PassState
from sfc.engine.flow import Branch
from sfc.engine.moves import fail, finish
from sfc.engine.turn import Turn


def enter(turn: Turn, branch: Branch, state: PassState) -> None:
    effective = turn.effective(state, branch)
    if isinstance(effective, Failure):
        fail(turn, branch, effective)
        return
    finish(turn, branch, state, state.result_of(effective), state.next)
