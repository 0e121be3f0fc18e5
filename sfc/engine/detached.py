"""Branches of a detached Parallel: they run beside the branch that started them, until a Join takes their results.

They hang below a holder, a branch that runs nothing itself and belongs to the branch that started it. With that branch they end, and so
they do when a Join has what it waits for. A failure that nothing in them catches is the Join's.
"""

from __future__ import annotations

from sfc.asl import Failure, JoinState
from sfc.engine import events as e
from sfc.engine.flow import Branch, Flow
from sfc.engine.turn import Turn


def holder_of(flow: Flow, owner: int, state: str) -> Branch | None:
    """What the branch has started by its state of this name and not joined yet."""
    for branch in flow.branches.values():
        if branch.detached is not None and branch.detached.owner == owner and branch.state == state:
            return branch
    return None


def joined(turn: Turn, holder: Branch) -> tuple[Branch, JoinState, Failure | None] | None:
    """The branch that waits in a Join for these branches, and its state, when the wait is over: with the result in the branch, or with a
    Failure. None when it goes on, or nobody waits yet."""
    assert holder.detached is not None  # asked of holders alone
    flow = turn.flow
    owner = flow.branches[holder.detached.owner]
    if owner.phase != "waiting" or not owner.state:
        return None
    state = turn.state_of(owner)
    if not isinstance(state, JoinState) or state.of != holder.state:
        return None
    branches = [branch for branch in flow.branches.values() if branch.parent == holder.id]
    wanted = state.until or len(branches)
    if sum(branch.phase == "done" for branch in branches) >= wanted:
        turn.emit(e.JoinSucceeded, owner.id, holder.id)
        return owner, state, None
    failed = holder.detached.failed
    if len(branches) - len(failed) < wanted:
        first = next(iter(failed.values()))
        turn.emit(e.JoinFailed, owner.id, first.error, first.cause)
        return owner, state, Failure(first.error, first.cause)
    return None
