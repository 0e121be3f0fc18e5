"""Choice: the first rule that holds names the next state."""

from __future__ import annotations

from sfc.asl import ChoiceState, Failure
from sfc.engine.flow import Branch
from sfc.engine.moves import fail, finish
from sfc.engine.turn import Turn


def enter(turn: Turn, branch: Branch, state: ChoiceState) -> None:
    effective = turn.effective(state, branch)
    if isinstance(effective, Failure):
        fail(turn, branch, effective)
        return
    chosen = state.choose(effective, turn.context(branch))
    if isinstance(chosen, Failure):
        fail(turn, branch, chosen)
        return
    following, leaving = chosen
    finish(turn, branch, leaving, effective, following)
