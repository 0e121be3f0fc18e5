"""Answers to jobs. One outcome per token is taken, the rest is dropped and counted by the lane."""

from __future__ import annotations

from typing import cast

from msgspec.structs import replace

from sfc.asl import MapState, TaskState
from sfc.engine import events as e
from sfc.engine import spread
from sfc.engine.children import failure_of
from sfc.engine.commands import AnswerByKey, ChildEnded, Complete, Dispatched, Fail, Heartbeat, Outcome
from sfc.engine.flow import Branch
from sfc.engine.limits import CAUSE_CHARACTERS_MAX, ERROR_CHARACTERS_MAX, cut
from sfc.engine.loop import run
from sfc.engine.states import task
from sfc.engine.turn import Turn


def answer(turn: Turn, outcome: Outcome) -> None:
    """Decides the answer; while the flow stands still it is only recorded."""
    branch = open_job(turn, outcome.token)
    if branch is None or branch.child != turn.ended_child:  # a child's job is answered by its end, and by nobody else
        turn.closed = True
        return
    outcome = task.fitted(outcome)
    if branch.phase == "spread" and isinstance(outcome, Dispatched):  # its jobs are answered
        turn.closed = True
        return
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
    """A child's end answers the job that it was started for, or is one of a distributed Map's; it may come too late for that."""
    token, error, cause = command.token, command.error, command.cause
    if len(error or "") > ERROR_CHARACTERS_MAX or len(cause or "") > CAUSE_CHARACTERS_MAX:
        command = replace(command, error=cut(error, ERROR_CHARACTERS_MAX), cause=cut(cause, CAUSE_CHARACTERS_MAX))
    if command.index >= 0:
        _iteration_ended(turn, command)
        return
    branch = open_job(turn, token)
    if branch is None or not branch.child:
        turn.closed = True
        return
    turn.ended_child = branch.child
    failure = failure_of(command, branch.child)
    answer(turn, Complete(token, command.output) if failure is None else Fail(token, failure.error, failure.cause))


def _iteration_ended(turn: Turn, command: ChildEnded) -> None:
    branch = _spread_map(turn, command.token)
    if branch is None:
        turn.closed = True
        return
    spread.ended(turn, branch, cast("MapState", turn.state_of(branch)), command)
    run(turn)


def _spread_map(turn: Turn, token: str) -> Branch | None:
    flow = turn.known
    for branch in flow.branches.values() if flow is not None and flow.running else ():
        if branch.phase == "spread" and branch.token == token:
            return branch
    return None


def awaiting(turn: Turn, held: Outcome | ChildEnded) -> Branch | None:
    """The branch that awaits an outcome that was kept while the flow stood."""
    return _spread_map(turn, held.token) if isinstance(held, ChildEnded) else open_job(turn, held.token)


def take(turn: Turn, branch: Branch, outcome: Outcome | ChildEnded) -> None:
    """Decides an answer; of iterations only those that were kept come here."""
    if isinstance(outcome, ChildEnded):
        spread.let_go(turn, branch, outcome)
        run(turn)
    elif branch.phase == "spread":
        spread.on_outcome(turn, branch, cast("MapState", turn.state_of(branch)), outcome)
        run(turn)
    elif task.on_outcome(turn, branch, cast("TaskState", turn.state_of(branch)), outcome):
        run(turn)
    else:
        turn.closed = True


def heartbeat(turn: Turn, command: Heartbeat) -> None:
    branch = open_job(turn, command.token)
    if branch is None or branch.phase == "spread" or branch.child:
        turn.closed = True
    else:
        task.on_heartbeat(turn, branch, cast("TaskState", turn.state_of(branch)))


def open_job(turn: Turn, token: str) -> Branch | None:
    """The branch that awaits the answer to this token."""
    flow = turn.known
    if flow is None or not flow.running:
        return None
    for branch in flow.branches.values():
        if (branch.phase == "job" and branch.token == token) or spread.awaits(branch, token):
            return branch
    return None
