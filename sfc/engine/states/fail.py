"""Fail: an error of the blueprint's own, which an enclosing Parallel may retry or catch."""

from __future__ import annotations

from sfc.asl import FailState
from sfc.engine.flow import Branch
from sfc.engine.moves import fail
from sfc.engine.turn import Turn


def enter(turn: Turn, branch: Branch, state: FailState) -> None:
    fail(turn, branch, state.failure(branch.data, turn.context(branch)))
