"""Child flows: what a ``blueprint:`` state starts on another shard, and what parent and child tell each other.

All of it travels as commands with source and mark, so that none is taken twice. A child's end is answered by ``ChildEnded`` with the
token of the parent's job; a parent that ends, or waits no more, stops its children; its own pause is theirs too. Holds of blueprints,
versions and groups need no word: a child knows whose it is, and every shard knows every hold.
"""

from __future__ import annotations

from typing import Any

from sfc.engine.commands import ChildEnded, HoldChild, Origin, Parent, Start, Stop
from sfc.engine.effects import SendCommand
from sfc.engine.flow import Branch, Flow
from sfc.engine.program import Target
from sfc.engine.turn import Turn

DEPTH_MAX = 20  # flows above a flow
PARENT_ENDED = "SFC.ParentEnded"
NOT_STARTED = "SFC.ChildNotStarted"
ABORTED = "SFC.ChildAborted"
TOO_DEEP = "SFC.ChildTooDeep"


def depth_of(flow: Flow) -> int:
    """How many flows are above it."""
    return flow.parent.depth if flow.parent else 0


def start_child(turn: Turn, child: str, target: Target, token: str, input: Any) -> None:
    """The child that answers the job with this token leaves for its shard."""
    flow = turn.flow
    above = flow.parent.subjects if flow.parent else ()
    subjects = tuple(dict.fromkeys((*above, *turn.program.subjects)))
    start = Start(
        target.child,
        target.child_version,
        target.child_hash,
        input,
        origin=Origin("flow", flow=flow.id),
        traceparent=flow.traceparent,
        parent=Parent(flow.id, token, depth_of(flow) + 1, subjects),
    )
    turn.effects.append(SendCommand(child, start))


def report(turn: Turn, parent: Parent | None, status: str, output: Any = None, error: str | None = None, cause: str | None = None) -> None:
    """Tells the parent, where there is one, how the flow has ended."""
    if parent is not None:
        turn.effects.append(SendCommand(parent.flow, ChildEnded(parent.token, status, output, error, cause)))


class Before:
    """What a decision finds: the children whose end is awaited, and whether the flow's own or its parent's hold is on them."""

    __slots__ = ("children", "held")

    def __init__(self, flow: Flow | None) -> None:
        self.children: tuple[str, ...] = ()
        self.held = False
        if flow is not None and flow.running:
            ended = {outcome.token for outcome in flow.inbox}
            self.children = tuple(branch.child for branch in _awaiting(flow) if branch.token not in ended)
            self.held = _holds_children(flow)


def settle(turn: Turn, before: Before) -> None:
    """Tells children what the decision means for them: who is not awaited any more is stopped, the others are held or let go."""
    flow = turn.known
    awaited = {branch.child for branch in _awaiting(flow)} if flow is not None and flow.running else set()
    started = [effect.flow for effect in turn.effects if isinstance(effect, SendCommand) and isinstance(effect.command, Start)]
    for child in (*before.children, *started):
        if child not in awaited and child != turn.ended_child:
            cause = f"the flow {turn.flow_id}, which started it, does not wait for it any more"
            turn.effects.append(SendCommand(child, Stop(PARENT_ENDED, cause)))
    held = flow is not None and _holds_children(flow)
    if held != before.held:
        turn.effects += [SendCommand(child, HoldChild(held)) for child in before.children if child in awaited]


def _awaiting(flow: Flow) -> list[Branch]:
    return [branch for branch in flow.branches.values() if branch.child]


def _holds_children(flow: Flow) -> bool:
    return flow.paused or flow.parent_held_ms > 0
