"""Parallel: branches of control below the state's own; it joins them by itself (see sfc.engine.moves.finish)."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from sfc.asl import Failure, ParallelState
from sfc.engine import events as e
from sfc.engine.flow import Branch
from sfc.engine.moves import fail, finish
from sfc.engine.sizes import as_known, weigh
from sfc.engine.turn import Turn


def enter(turn: Turn, branch: Branch, state: ParallelState) -> None:
    """Starts the branches: at entering the state, and again after the pause before a retry."""
    effective = turn.effective(state, branch)
    if isinstance(effective, Failure):
        fail(turn, branch, effective)
        return
    effective = as_known(effective, branch.data)
    if effective is not branch.data:
        unfit = weigh(turn, f"the input of the branches of state {state.name!r}", effective)
        if unfit is not None:
            fail(turn, branch, unfit)
            return
    if state.detached:
        _detach(turn, branch, state, effective)
        return
    first = turn.flow.branches_made
    ids = list(range(first, first + len(state.branches)))
    turn.emit(e.ParallelStarted, branch.id, ids, UNSET if effective is branch.data else effective)
    turn.work.extend(zip(ids, state.branches, strict=True))


def _detach(turn: Turn, branch: Branch, state: ParallelState, effective: Any) -> None:
    """Starts the branches below a holder, and goes on at once with the effective input."""
    holder = turn.flow.branches_made
    ids = list(range(holder + 1, holder + 1 + len(state.branches)))
    turn.emit(e.DetachedStarted, branch.id, holder, ids, UNSET if effective is branch.data else effective)
    turn.work.extend(zip(ids, state.branches, strict=True))
    finish(turn, branch, state, effective, state.next)
