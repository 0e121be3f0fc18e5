"""Child flows: what a ``blueprint:`` state starts on another shard, and what parent and child tell each other.

All of it travels as commands with source and mark, so that none is taken twice. A child's end is answered by ``ChildEnded`` with the
token of the parent's job; a parent that ends, or waits no more, stops its children; its own pause is theirs too. Holds of blueprints,
versions and groups need no word: a child knows whose it is, and every shard knows every hold.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from sfc.asl import Failure
from sfc.engine.commands import ChildEnded, HoldChild, Origin, Parent, Start, Stop
from sfc.engine.effects import SendCommand
from sfc.engine.flow import Flow
from sfc.engine.ids import child_id
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
    parent = _parent(turn, token)
    _start(turn, child, Start(target.child, target.child_version, target.child_hash, input, origin=_origin(turn, "flow"), parent=parent))


def start_iteration(turn: Turn, child: str, state: str, token: str, index: int, input: Any) -> None:
    """An iteration of a distributed Map leaves for its shard: a flow of the same version that runs the Map's processor."""
    flow = turn.flow
    origin, parent = _origin(turn, "map", state), _parent(turn, token, index)
    _start(turn, child, Start(flow.blueprint, flow.version, flow.hash, input, origin=origin, parent=parent, entry=state))


def _start(turn: Turn, child: str, start: Start) -> None:
    turn.effects.append(SendCommand(child, replace(start, traceparent=turn.flow.traceparent)))


def _origin(turn: Turn, kind: str, state: str = "") -> Origin:
    return Origin(kind, state, flow=turn.flow_id)


def _parent(turn: Turn, token: str, index: int = -1) -> Parent:
    flow = turn.flow
    above = flow.parent.subjects if flow.parent else ()
    return Parent(flow.id, token, depth_of(flow) + 1, tuple(dict.fromkeys((*above, *turn.program.subjects))), index)


def map_child(flow: Flow, token: str, index: int) -> str:
    """The id of an iteration's flow. ``token``: the Map's."""
    return child_id(flow.blueprint, flow.id, flow.run, int(token.rsplit("/", 2)[1]), index)


def failure_of(command: ChildEnded, child: str) -> Failure | None:
    """What a child's end is to the state that awaits it; None for a success."""
    match command.status:
        case "SUCCEEDED":
            return None
        case "TIMED_OUT":
            return Failure("States.Timeout", f"the child flow {child} ran longer than its TimeoutSeconds")
        case "ABORTED":
            return Failure(command.error or ABORTED, command.cause or f"the child flow {child} was stopped")
        case _:
            return Failure(command.error, command.cause)


def report(turn: Turn, parent: Parent | None, status: str, output: Any = None, error: str | None = None, cause: str | None = None) -> None:
    """Tells the parent, where there is one, how the flow has ended."""
    if parent is not None:
        turn.effects.append(SendCommand(parent.flow, ChildEnded(parent.token, status, output, error, cause, parent.index)))


class Before:
    """What a decision finds: the children whose end is awaited, and whether the flow's own or its parent's hold is on them."""

    __slots__ = ("children", "held")

    def __init__(self, flow: Flow | None) -> None:
        self.children: _Awaited = {}
        self.held = False
        if flow is not None and flow.running:
            self.children = _awaited(flow)
            self.held = _holds_children(flow)
            for outcome in flow.inbox:  # who has ended hears no more
                index = outcome.index if isinstance(outcome, ChildEnded) else -1
                self.children.get(outcome.token, {}).pop(index, None)


def settle(turn: Turn, before: Before) -> None:
    """Tells children what the decision means for them: who is not awaited any more is stopped, the others are held or let go."""
    flow = turn.known
    now = _awaited(flow) if flow is not None and flow.running else {}
    for token, indexes in before.children.items():
        left = now.get(token, {})
        for index in sorted(indexes.keys() - left.keys()):  # of a distributed Map a thousand may be at work, and one has ended
            _stop(turn, indexes[index] or map_child(turn.flow, token, index), token)
    for effect in list(turn.effects):
        if isinstance(effect, SendCommand) and isinstance(effect.command, Start) and effect.command.parent is not None:
            parent = effect.command.parent
            if parent.index not in now.get(parent.token, {}):
                _stop(turn, effect.flow, parent.token)
    held = flow is not None and _holds_children(flow)
    if held != before.held and flow is not None:
        for token, indexes in before.children.items():
            left = now.get(token, {})
            turn.effects += [
                SendCommand(child or map_child(flow, token, index), HoldChild(held)) for index, child in indexes.items() if index in left
            ]


_Awaited = dict[str, dict[int, str]]
"""By the token of a job or a Map: the iterations at work, each with "", or the child of a job under -1."""


def _awaited(flow: Flow) -> _Awaited:
    found: _Awaited = {}
    for branch in flow.branches.values():
        if branch.child:
            found[branch.token] = {-1: branch.child}
        elif branch.phase == "spread" and branch.map is not None:
            found[branch.token] = dict.fromkeys(branch.map.open, "")
    return found


def _stop(turn: Turn, child: str, token: str) -> None:
    """The token says whose child is meant: somebody may have started a flow of his own with its id before."""
    if child != turn.ended_child:
        cause = f"the flow {turn.flow_id}, which started it, does not wait for it any more"
        turn.effects.append(SendCommand(child, Stop(PARENT_ENDED, cause, child_of=token)))


def _holds_children(flow: Flow) -> bool:
    return flow.paused or flow.parent_held_ms > 0
