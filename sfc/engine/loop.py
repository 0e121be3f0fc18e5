"""Runs a flow until each of its branches waits for something, or a hold stops it: iteratively, however many states that takes."""

from __future__ import annotations

from typing import cast

from sfc.asl import MapState
from sfc.engine import events as e
from sfc.engine.flow import Branch
from sfc.engine.limits import HISTORY_BYTES_MAX, PORTION_BYTES, PORTION_STEPS
from sfc.engine.moves import RUNTIME, fail_flow
from sfc.engine.shard import first_state
from sfc.engine.sizes import size_over
from sfc.engine.spread import go_on
from sfc.engine.states import ENTER
from sfc.engine.turn import STEPS_MAX, Turn

LATE_MAX = 200  # transitions by which a yield is put off
YIELD_MS = 1  # so that other flows of the same tick come first


def run(turn: Turn) -> None:
    """Works off the states to enter. Work of branches that were dropped or cut off meanwhile is passed over.

    A flow that comes under a hold, since one of its branches is about to enter a Task state whose task is held, enters nothing more:
    its branches stay as they are, until it is woken. So does one that yields, until its timer is due.
    """
    states = turn.program.machine.states
    work = turn.work
    while work:
        branch_id, name = work.popleft()
        flow = turn.flow
        if not flow.running or turn.yielded:
            work.clear()
            return
        branch = flow.branches.get(branch_id)
        if branch is None or branch.phase != "entered":
            continue
        if (held := turn.held()) is not None:
            turn.emit(e.ExecutionPaused, False, turn.now if held.freeze_since_ms else 0, ", ".join(held.subjects), stood=True)
            return
        if (turn.steps >= PORTION_STEPS or turn.told >= PORTION_BYTES) and _may_yield(turn):
            turn.emit(e.ExecutionYielded, turn.now + YIELD_MS)
            turn.yielded = True
            work.clear()
            return
        if not step(turn, branch):
            return
        state = states[name]
        turn.emit(e.StateEntered, branch_id, name, state.kind)
        ENTER[state.kind](turn, branch, state)


def _may_yield(turn: Turn) -> bool:
    """Only with several branches; and not while they carry more than could be written, which a few transitions more may mend."""
    flow = turn.flow
    if len(flow.branches) == 1:
        return False
    turn.late += 1
    return turn.late > LATE_MAX or not size_over(flow)


def step(turn: Turn, branch: Branch) -> bool:
    """Counts a transition. False when the branch made too many, or too much was told in one go: then the flow has failed."""
    turn.steps += 1
    if branch.steps < STEPS_MAX and turn.told <= HISTORY_BYTES_MAX:
        return True
    turn.work.clear()
    if turn.told > HISTORY_BYTES_MAX:
        much = f"{turn.told} bytes of history, of which {HISTORY_BYTES_MAX} can be kept"
        fail_flow(turn, RUNTIME, f"{turn.steps} transitions without waiting for anything made {much}: a loop without a Wait or a Task")
        return False
    fail_flow(turn, RUNTIME, f"the flow made {STEPS_MAX} transitions without waiting for anything: a loop without a Wait or a Task")
    return False


def enter_pending(turn: Turn) -> None:
    """Lets every branch that is about to run enter its state: of a flow that was started, redriven, woken, or had yielded."""
    if turn.yielded:
        return
    if turn.flow.yielded_ms:
        turn.emit(e.ExecutionContinued)
    for branch in turn.flow.branches.values():
        if branch.phase == "entered":
            turn.work.append((branch.id, branch.state or first_state(turn.program, turn.flow, branch)))
    for branch in [branch for branch in turn.flow.branches.values() if branch.phase == "spread"]:
        if turn.flow.branches.get(branch.id) is branch and branch.phase == "spread":
            go_on(turn, branch, cast("MapState", turn.state_of(branch)))
    run(turn)
