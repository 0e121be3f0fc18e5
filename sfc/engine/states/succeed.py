"""Succeed: the end of the flow, or of a branch, with its input."""

from __future__ import annotations

from sfc.asl import Failure, SucceedState
from sfc.engine.flow import Branch
from sfc.engine.moves import fail, finish
from sfc.engine.turn import Turn


def enter(turn: Turn, branch: Branch, state: SucceedState) -> None:
    effective = turn.effective(state, branch)
    if isinstance(effective, Failure):
        fail(turn, branch, effective)
        return
    finish(turn, branch, state, effective, None)
