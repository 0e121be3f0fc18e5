"""Timers: what is due in a flow, in order of due time and branch."""

from __future__ import annotations

from typing import cast

from sfc.asl import JoinState, TaskState, WaitState
from sfc.engine import events as e
from sfc.engine import spread
from sfc.engine.commands import Fire
from sfc.engine.flow import Branch, Flow
from sfc.engine.loop import enter_pending, run, step
from sfc.engine.moves import time_out_flow
from sfc.engine.states import ENTER, join, task, wait
from sfc.engine.turn import Turn


def fire(turn: Turn, command: Fire) -> None:
    """Fires what is due, one after another: each may end the flow or drop other timers. Nothing fires in a flow that stands
    still. One that yields leaves the rest to the next tick."""
    flow = turn.known
    if flow is None:
        return
    if not flow.running:
        if flow.due_ms and flow.due_ms <= command.time_ms:
            turn.emit(e.ExecutionForgotten)
        return
    while flow.running and not turn.yielded and not turn.stands():  # a branch that comes to a held task makes the others stand too
        due, branch = _first(flow)
        goes_on_ms = flow.yielded_ms
        if goes_on_ms and goes_on_ms <= command.time_ms and (not due or goes_on_ms < due):
            enter_pending(turn)
            continue
        if not due or due > command.time_ms:
            return
        if branch is None:
            time_out_flow(turn)
        elif step(turn, branch):
            _fire_branch(turn, branch)
            run(turn)


def _first(flow: Flow) -> tuple[int, Branch | None]:
    """The earliest due time, 0 for none, and its branch; None for the machine's own timeout, which goes before others of its time."""
    due, found = flow.due_ms, None
    for branch in flow.branches.values():
        for timer in (branch.due_ms, branch.heartbeat_due_ms):
            if timer and (not due or timer < due):
                due, found = timer, branch
    return due, found


def _fire_branch(turn: Turn, branch: Branch) -> None:
    state = turn.state_of(branch)
    match branch.phase:
        case "job":
            task.on_due(turn, branch, cast("TaskState", state))
        case "spread":
            spread.on_due(turn, branch)
        case "waiting" if isinstance(state, JoinState):
            join.on_due(turn, branch, state)
        case "waiting":
            wait.on_due(turn, branch, cast("WaitState", state))
        case _:  # the pause before a retry: it runs again, without entering anew
            ENTER[state.kind](turn, branch, state)
