"""Join: waits for branches of a detached Parallel; those that it does not need any more end."""

from __future__ import annotations

from sfc.asl import Failure, JoinState
from sfc.asl.failure import runtime_failure
from sfc.engine import events as e
from sfc.engine.detached import holder_of, joined
from sfc.engine.flow import Branch
from sfc.engine.moves import fail, finish
from sfc.engine.turn import Turn


def enter(turn: Turn, branch: Branch, state: JoinState) -> None:
    holder = holder_of(turn.flow, branch.id, state.of)
    if holder is None:
        fail(turn, branch, runtime_failure(f"{state.of!r} has not started branches that could be joined, or they were joined already"))
        return
    timeout_s = state.timeout_s(branch.data, turn.context(branch))
    if isinstance(timeout_s, Failure):
        fail(turn, branch, timeout_s)
        return
    turn.emit(e.JoinStarted, branch.id, state.of, turn.now + timeout_s * 1000 if timeout_s else 0)
    over = joined(turn, holder)
    if over is None:
        return
    _, _, failure = over
    if failure is None:
        finish(turn, branch, state, branch.result, state.next)
    else:
        fail(turn, branch, failure)


def on_due(turn: Turn, branch: Branch, state: JoinState) -> None:
    """It has waited long enough; the branches run on, and may be joined later."""
    said = f"the branches of {state.of} were not done in time"
    turn.emit(e.JoinFailed, branch.id, "States.Timeout", said)
    fail(turn, branch, Failure("States.Timeout", "", said=said))
