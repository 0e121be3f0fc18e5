"""Wait: a timer in the flow's own state. A time that is past ends the wait at once."""

from __future__ import annotations

from sfc.asl import Failure, WaitState
from sfc.engine import events as e
from sfc.engine.flow import Branch
from sfc.engine.moves import fail, finish
from sfc.engine.turn import Turn


def enter(turn: Turn, branch: Branch, state: WaitState) -> None:
    effective = turn.effective(state, branch)
    if isinstance(effective, Failure):
        fail(turn, branch, effective)
        return
    due_ms = state.until_ms(effective, turn.now, turn.context(branch))
    if isinstance(due_ms, Failure):
        fail(turn, branch, due_ms)
        return
    if due_ms <= turn.now:
        finish(turn, branch, state, effective, state.next)
        return
    turn.emit(e.WaitStarted, branch.id, due_ms)


def on_due(turn: Turn, branch: Branch, state: WaitState) -> None:
    """The time has come."""
    effective = turn.effective(state, branch)
    if isinstance(effective, Failure):
        fail(turn, branch, effective)
        return
    finish(turn, branch, state, effective, state.next)
