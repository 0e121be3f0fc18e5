"""Answers to jobs. One outcome per token is taken, the rest is dropped and counted by the lane."""

from __future__ import annotations

from typing import cast

from sfc.asl import TaskState
from sfc.engine import events as e
from sfc.engine.children import ABORTED
from sfc.engine.commands import AnswerByKey, ChildEnded, Complete, Fail, Heartbeat
from sfc.engine.flow import Branch
from sfc.engine.loop import run
from sfc.engine.states import task
from sfc.engine.states.task import Outcome
from sfc.engine.turn import Turn


def answer(turn: Turn, outcome: Outcome) -> None:
    """Decides the answer; while the flow stands still it is only recorded."""
    branch = open_job(turn, outcome.token)
    if branch is None:
        turn.closed = True
        return
    outcome = task.fitted(outcome)
    if turn.stands():
        if any(held.token == outcome.token for held in turn.flow.inbox):
            turn.closed = True
        else:
            turn.emit(e.OutcomeHeld, outcome)
        return
    take(turn, branch, outcome)


def answer_by_key(turn: Turn, command: AnswerByKey) -> None:
    """An answer without a token: that of the one open job of its task (accepted only where at most one can be open)."""
    token = ""
    if turn.known is not None and turn.known.running:
        for branch in turn.known.branches.values():
            if branch.phase == "job" and turn.program.targets[branch.state].resource.startswith(f"task:{command.task}@"):
                token = branch.token
                break
    if not token:
        turn.closed = True
    elif command.failed:
        answer(turn, Fail(token, command.error, command.cause))
    else:
        answer(turn, Complete(token, command.output))


def child_ended(turn: Turn, command: ChildEnded) -> None:
    """A child's end answers the job that it was started for; it may come too late for that."""
    token = command.token
    branch = open_job(turn, token)
    if branch is None or not branch.child:
        turn.closed = True
        return
    child = turn.ended_child = branch.child
    match command.status:
        case "SUCCEEDED":
            answer(turn, Complete(token, command.output))
        case "TIMED_OUT":
            answer(turn, Fail(token, "States.Timeout", f"the child flow {child} ran longer than its TimeoutSeconds"))
        case "ABORTED":
            answer(turn, Fail(token, command.error or ABORTED, command.cause or f"the child flow {child} was stopped"))
        case _:
            answer(turn, Fail(token, command.error, command.cause))


def take(turn: Turn, branch: Branch, outcome: Outcome) -> None:
    if task.on_outcome(turn, branch, cast("TaskState", turn.state_of(branch)), outcome):
        run(turn)
    else:
        turn.closed = True


def heartbeat(turn: Turn, command: Heartbeat) -> None:
    branch = open_job(turn, command.token)
    if branch is None:
        turn.closed = True
    else:
        task.on_heartbeat(turn, branch, cast("TaskState", turn.state_of(branch)))


def open_job(turn: Turn, token: str) -> Branch | None:
    """The branch that awaits the answer to this token."""
    flow = turn.known
    if flow is None or not flow.running:
        return None
    for branch in flow.branches.values():
        if branch.token == token and branch.phase == "job":
            return branch
    return None
