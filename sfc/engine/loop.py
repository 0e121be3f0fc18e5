"""Runs a flow until each of its branches waits for something: iteratively, however many states that takes."""

from __future__ import annotations

from sfc.asl import ParallelState
from sfc.engine import events as e
from sfc.engine.flow import Branch
from sfc.engine.moves import RUNTIME, fail_flow
from sfc.engine.states import ENTER
from sfc.engine.turn import STEPS_MAX, Turn


def run(turn: Turn) -> None:
    """Works off the states to enter. Work of branches that were dropped or cut off meanwhile is passed over."""
    states = turn.program.machine.states
    work = turn.work
    while work:
        branch_id, name = work.popleft()
        flow = turn.flow
        if not flow.running:
            work.clear()
            return
        branch = flow.branches.get(branch_id)
        if branch is None or branch.phase != "entered":
            continue
        if not step(turn):
            return
        state = states[name]
        turn.emit(e.StateEntered, branch_id, name, state.kind)
        ENTER[state.kind](turn, branch, state)


def step(turn: Turn) -> bool:
    """Counts a transition. False when that was one too many: then the flow has failed."""
    turn.steps += 1
    if turn.steps <= STEPS_MAX:
        return True
    turn.work.clear()
    fail_flow(turn, RUNTIME, f"the flow made {STEPS_MAX} transitions without waiting for anything: a loop without a Wait or a Task")
    return False


def enter_pending(turn: Turn) -> None:
    """Lets every branch that is about to run enter its state: of a flow that was started or redriven."""
    for branch in turn.flow.branches.values():
        if branch.phase == "entered":
            turn.work.append((branch.id, first_state(turn, branch)))
    run(turn)


def first_state(turn: Turn, branch: Branch) -> str:
    """The state that a branch is about to enter: the one that it was in, or where its part of the machine starts."""
    if branch.state:
        return branch.state
    if branch.parent < 0:
        return turn.program.machine.start_at
    around = turn.state_of(turn.flow.branches[branch.parent])
    assert isinstance(around, ParallelState)  # only a Parallel starts branches
    return around.branches[branch.index]
