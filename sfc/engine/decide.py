"""What a command means for a flow::

    decide(program, flow, command, shard, offset, flow_id) -> Decision(flow, events, effects, closed)

``flow`` is None where the shard knows none of that id. ``decide`` applies ``evolve`` to each event as it is decided, so that later events
see the state that earlier ones made; the flow passed in is changed, and only by evolve. ``Decision.flow`` is the flow even when it has
just ended, for its summary (``sfc.engine.evolve.kept`` says whether its state is to be written); None when it is forgotten, or never was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sfc.engine import children, control, outcomes, signals, timers
from sfc.engine import commands as c
from sfc.engine.effects import RefuseStart
from sfc.engine.flow import Flow
from sfc.engine.moves import RUNTIME, check_size, fail_flow
from sfc.engine.program import Program
from sfc.engine.shard import ShardState
from sfc.engine.start import UNKNOWN, start
from sfc.engine.turn import Decision, Missing, Turn

ON: dict[type[Any], Callable[[Turn, Any], None]] = {
    c.Start: start,
    c.Complete: outcomes.answer,
    c.Fail: outcomes.answer,
    c.AnswerByKey: outcomes.answer_by_key,
    c.Dispatched: outcomes.answer,
    c.DispatchFailed: outcomes.answer,
    c.Heartbeat: outcomes.heartbeat,
    c.Pause: control.pause,
    c.Resume: control.resume,
    c.Stop: control.stop,
    c.Redrive: control.redrive,
    c.Signal: signals.signal,
    c.ChildEnded: outcomes.child_ended,
    c.HoldChild: control.hold_child,
    c.Fire: timers.fire,
    c.Wake: control.wake,
}
"""What each command does."""


def decide(
    program: Program | None,
    flow: Flow | None,
    command: c.FlowCommand | c.Fire | c.Wake,
    shard: ShardState,
    offset: int,
    flow_id: str,
    missing: Missing | None = None,
) -> Decision:
    """The decision on one command, at ``shard.clock_ms``. It never raises for what a command or a blueprint says: such a flow fails
    visibly (EXACTLY-ONCE 26). Deciding the same again gives the same, byte for byte. ``missing``: why a start has no program."""
    turn = Turn(program, flow, shard, offset, flow_id, missing)
    before = children.Before(flow) if program is not None and program.starts_children else None
    try:
        ON[type(command)](turn, command)
        check_size(turn)
    except Exception as error:
        turn.raised = error
        _give_up(turn, command, type(error).__name__)
    if before is not None:
        children.settle(turn, before)
    return turn.decision()


def _give_up(turn: Turn, command: object, name: str) -> None:
    """The flow fails with what it had been told so far; no effect of the decision leaves. The interpreter's own words stay out of it."""
    turn.effects.clear()
    turn.work.clear()
    cause = f"the engine could not decide what comes next: {name}"
    if turn.known is None:
        turn.effects.append(RefuseStart(turn.flow_id, UNKNOWN, cause))
        if isinstance(command, c.Start):
            children.report(turn, command.parent, "FAILED", None, children.NOT_STARTED, cause)
    elif turn.known.running:
        fail_flow(turn, RUNTIME, cause)
