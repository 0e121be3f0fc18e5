"""Signals: what a person or a system tells a flow by name. A ``signal:NAME`` state waits for one; one that comes too early is kept."""

from __future__ import annotations

from sfc.engine import events as e
from sfc.engine.commands import Complete, Fail, Signal
from sfc.engine.control import running, verdict
from sfc.engine.flow import Branch
from sfc.engine.limits import CAUSE_CHARACTERS_MAX, ERROR_CHARACTERS_MAX, cut
from sfc.engine.outcomes import answer
from sfc.engine.sizes import PAYLOADS_IN_FLOW, PAYLOADS_PER_BRANCH, weigh
from sfc.engine.turn import FLOW_BYTES_MAX, Turn, encode

SIGNALS_KEPT_MAX = 100


def signal(turn: Turn, command: Signal) -> None:
    """Completes the oldest open wait of this name; while the flow stands still the outcome is only recorded. Without one it is kept."""
    flow = running(turn, command.reply)
    if flow is None:
        turn.closed = command.reply is None
        return
    if command.request and command.request in flow.requests:
        verdict(turn, command.reply, "done", "was taken already")
        return
    branch = _oldest_wait(turn, command.name)
    refusal = _refusal(turn, command, kept=branch is None)
    if refusal:
        verdict(turn, command.reply, "not-possible", refusal)
        turn.closed = command.reply is None
        return
    error, cause = cut(command.error, ERROR_CHARACTERS_MAX), cut(command.cause, CAUSE_CHARACTERS_MAX)
    verdict(turn, command.reply, "done")
    if branch is None:
        turn.emit(e.SignalReceived, command.name, command.by, command.request, True, command.output, error, cause)
        return
    turn.emit(e.SignalReceived, command.name, command.by, command.request)
    answer(turn, Complete(branch.token, command.output) if error is None else Fail(branch.token, error, cause))


def _oldest_wait(turn: Turn, name: str) -> Branch | None:
    """The branch that has waited longest for this name and has no outcome in the inbox."""
    taken = {held.token for held in turn.flow.inbox}
    targets = turn.program.targets
    waiting = [
        branch
        for branch in turn.flow.branches.values()
        if branch.phase == "job" and branch.token not in taken and (targets[branch.state].signal == name)
    ]
    return min(waiting, key=_begun, default=None)


def _begun(branch: Branch) -> int:
    """The number of the event that the wait began with: it stands in the token."""
    return int(branch.token.rsplit("/", 2)[1])


def _refusal(turn: Turn, command: Signal, *, kept: bool) -> str:
    flow = turn.flow
    names = sorted({target.signal for target in turn.program.targets.values() if target.signal})
    if command.name not in names:
        known = f"its states wait for {', '.join(names)}" if names else "none of its states waits for a signal"
        return f"{flow.blueprint}@{flow.version} knows no signal {command.name!r:.100}: {known}"
    unfit = weigh(turn, "the output of the signal", command.output)
    if unfit is not None:
        return str(unfit.cause)
    if not kept:
        return ""
    if len(flow.signals) >= SIGNALS_KEPT_MAX:
        return f"the flow {flow.id} keeps {SIGNALS_KEPT_MAX} signals that no state has waited for yet: no more can be kept"
    if (len(flow.branches) + 1) * PAYLOADS_PER_BRANCH + len(flow.signals) < PAYLOADS_IN_FLOW:  # as size_over: nothing can be too large
        return ""
    size = len(encode(flow)) + len(encode(command.output)) + len(command.cause or "") * 4
    if size > FLOW_BYTES_MAX:
        return f"the state of the flow would have {size} bytes of JSON with this signal: at most {FLOW_BYTES_MAX} can be kept"
    return ""
