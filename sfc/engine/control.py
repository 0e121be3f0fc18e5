"""What people and programs ask of a flow: pause, resume, stop, redrive; and the wake-up after a shard's hold.

Each gets its verdict where it named somebody to reply to: done, unknown (no such flow), or not-possible with the reason.
"""

from __future__ import annotations

from msgspec import UNSET

from sfc.engine import events as e
from sfc.engine.commands import HoldChild, Pause, Redrive, ReplyTo, Resume, Stop, Wake
from sfc.engine.effects import Reply
from sfc.engine.flow import Branch, Flow
from sfc.engine.limits import REASON_CHARACTERS_MAX, cut
from sfc.engine.loop import enter_pending
from sfc.engine.moves import abort_flow
from sfc.engine.outcomes import awaiting, take
from sfc.engine.shard import stood_since
from sfc.engine.turn import PAYLOAD_BYTES_MAX, Turn, encode

REDRIVABLE = ("FAILED", "TIMED_OUT", "ABORTED")


def pause(turn: Turn, command: Pause) -> None:
    flow = running(turn, command.reply)
    if flow is None:
        return
    paused_before = flow.paused
    if not paused_before:
        turn.emit(e.ExecutionPaused, True, turn.frozen_since_ms() or turn.now, cut(command.reason, REASON_CHARACTERS_MAX), command.by)
    verdict(turn, command.reply, "done", "was paused already" if paused_before else "")


def resume(turn: Turn, command: Resume) -> None:
    flow = running(turn, command.reply)
    if flow is None:
        return
    verdict(turn, command.reply, "done", "" if flow.paused else "was not paused by itself")
    if not flow.paused:
        return
    if turn.held() is not None:
        turn.emit(e.ExecutionResumed, True, False, 0, command.by)
    else:
        _go_on(turn, own=True, since_ms=flow.held_since_ms, by=command.by)


def hold_child(turn: Turn, command: HoldChild) -> None:
    """The flow above was paused, or goes on: the child's timers stand as long as it does."""
    flow = turn.known
    if flow is None or not flow.running or flow.parent is None or bool(flow.parent_held_ms) == command.held:
        return
    if command.held:
        turn.emit(e.ExecutionPaused, False, turn.frozen_since_ms() or turn.now, f"flow:{flow.parent.flow}", parent=True)
        return
    turn.emit(e.ExecutionResumed, False, False, parent=True)
    if not turn.stands():
        _go_on(turn, own=False, since_ms=flow.held_since_ms)


def wake(turn: Turn, command: Wake) -> None:
    """A shard's hold was lifted. While something else holds the flow it only remembers since when its timers stand still."""
    flow = turn.known
    if flow is None or not flow.running:
        return
    since_ms = flow.held_since_ms
    if command.freeze:
        began_ms = stood_since(flow, command.since_ms)
        since_ms = min(since_ms, began_ms) if since_ms else began_ms
    if not turn.stands():
        _go_on(turn, own=False, since_ms=since_ms)
    elif since_ms and since_ms != flow.held_since_ms:
        turn.emit(e.ExecutionPaused, False, since_ms)


def _go_on(turn: Turn, *, own: bool, since_ms: int, by: str = "") -> None:
    """Nothing holds the flow any more: its timers move on by the time they stood, the answers that came meanwhile are decided
    in order (they are on time, whatever the clock says), and a state that was about to be entered is. An answer may lead to a task that
    is held: then the flow stands again, and the answers after it are kept again."""
    flow = turn.flow
    outcomes = flow.inbox
    turn.emit(e.ExecutionResumed, own, True, turn.now - since_ms if since_ms else 0, by)
    if outcomes:
        turn.emit(e.OutcomesTaken)
        for outcome in outcomes:
            branch = awaiting(turn, outcome)
            if branch is None:
                continue
            if turn.stands():
                turn.emit(e.OutcomeHeld, outcome)
            else:
                take(turn, branch, outcome)
    if flow.running and not turn.stands():
        enter_pending(turn)


def stop(turn: Turn, command: Stop) -> None:
    flow = running(turn, command.reply)
    if flow is None or (command.child_of and (flow.parent is None or flow.parent.token != command.child_of)):
        return
    abort_flow(turn, command.error, command.cause, command.by)
    verdict(turn, command.reply, "done")


def redrive(turn: Turn, command: Redrive) -> None:
    """Every branch that was not done enters its state again; those around them stay in their Parallel."""
    flow = turn.known
    if flow is None:
        verdict(turn, command.reply, "unknown", "the engine knows no flow of this id: it never was, or is forgotten")
        return
    if command.request and command.request in flow.requests:
        verdict(turn, command.reply, "done")
        return
    refusal = _no_redrive(turn, flow, command)
    if refusal:
        verdict(turn, command.reply, "not-possible", refusal)
        return
    going = [b.id for b in flow.branches.values() if _goes_on(b)]
    timeout_s = turn.program.machine.timeout_s
    due_ms = turn.now + timeout_s * 1000 if timeout_s else 0
    turn.emit(e.ExecutionRedriven, going, command.request, command.by, due_ms, command.input if command.edited else UNSET)
    verdict(turn, command.reply, "done")
    enter_pending(turn)


def _goes_on(branch: Branch) -> bool:
    return branch.phase not in ("done", "branches")


def _no_redrive(turn: Turn, flow: Flow, command: Redrive) -> str:
    if flow.status not in REDRIVABLE:
        return f"the flow {flow.id} is {flow.status}: only a failed, timed-out or aborted one can be redriven"
    if turn.known_program is None:
        return f"{flow.blueprint}@{flow.version} is not known here: deploy it again"
    if not flow.branches:
        return f"the flow {flow.id} was too large to be kept with what it carried: it can't go on, start it anew with a smaller input"
    if command.edited:
        size = len(encode(command.input))
        if size > PAYLOAD_BYTES_MAX:
            return f"the edited input has {size} bytes of JSON: at most {PAYLOAD_BYTES_MAX} can be carried"
    return ""


def running(turn: Turn, reply: ReplyTo | None) -> Flow | None:
    """The flow if it runs; else the verdict why nothing can be done."""
    flow = turn.known
    if flow is None:
        verdict(turn, reply, "unknown", "the engine knows no flow of this id: it never was, or is forgotten")
        return None
    if not flow.running:
        verdict(turn, reply, "not-possible", f"the flow {flow.id} has ended: it is {flow.status}")
        return None
    return flow


def verdict(turn: Turn, to: ReplyTo | None, status: str, detail: str = "") -> None:
    if to is not None:
        turn.effects.append(Reply(to, turn.flow_id, status, detail=detail))
