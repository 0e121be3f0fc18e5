"""The branches of a flow, for ``evolve`` alone: what is below one, how one is closed, and how others are dropped with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET

from sfc.engine.flow import Branch, Flow


def below(flow: Flow, branch_id: int) -> Iterator[Branch]:
    """The branches under one, at any depth, parents before children (a child's id is always higher, and made later)."""
    family = {branch_id}
    for branch in flow.branches.values():
        owner = -1 if branch.detached is None else branch.detached.owner  # what the branch itself has detached is not below it
        if branch.parent in family or (owner in family and owner != branch_id):
            family.add(branch.id)
            yield branch


def close(branch: Branch, phase: Any) -> None:
    """No timer and no open job is left; the raw input stays."""
    branch.phase = phase
    branch.token = branch.child = ""
    branch.due_ms = branch.heartbeat_due_ms = 0
    branch.result = UNSET
    branch.map = None


def waited(flow: Flow, branch: Branch) -> None:
    """What has waited for something starts counting its transitions anew, and so does all around it, and who started it beside himself.
    Not at the wait's beginning: a branch beside it may end it at once, again and again."""
    branch.steps = 0
    while branch.parent >= 0 or branch.detached is not None:
        branch = flow.branches[branch.parent if branch.detached is None else branch.detached.owner]
        branch.steps = 0


def revive(flow: Flow, branch: Branch) -> None:
    """The detached branch that it is, or is below, has not failed any more: it runs again."""
    while branch.parent >= 0:
        around = flow.branches[branch.parent]
        if around.detached is not None:
            around.detached.failed.pop(branch.index, None)
        branch = around


def drop_below(flow: Flow, branch_id: int) -> None:
    """Forgets the branches under one, at any depth."""
    for branch in list(below(flow, branch_id)):
        del flow.branches[branch.id]


def drop_detached(flow: Flow, owner: int, state: str = "") -> None:
    """Ends what a branch has started beside itself: all, or what one of its states has."""
    for holder in [b for b in flow.branches.values() if b.detached is not None and b.detached.owner == owner]:
        if not state or holder.state == state:
            drop_below(flow, holder.id)
            del flow.branches[holder.id]
