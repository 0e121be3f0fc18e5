"""A start: a new life of a flow id, or the reason why there is none."""

from __future__ import annotations

from sfc.asl import MapState
from sfc.engine import events as e
from sfc.engine.children import NOT_STARTED, report
from sfc.engine.commands import Start
from sfc.engine.effects import RefuseStart, Reply
from sfc.engine.limits import TRACEPARENT_CHARACTERS_MAX
from sfc.engine.loop import enter_pending
from sfc.engine.moves import fail_flow
from sfc.engine.program import Program
from sfc.engine.sizes import DATA_LIMIT, too_large
from sfc.engine.turn import PAYLOAD_BYTES_MAX, Missing, Turn, encode

EXISTS = "flow-exists"
UNKNOWN = "unknown-blueprint"


def start(turn: Turn, command: Start) -> None:
    """A flow that stands under a hold enters its first state when it is woken; the machine's timeout counts from then."""
    if turn.known is not None:
        _exists(turn, command)
        return
    program = turn.known_program
    if program is None or program.hash != command.hash:
        _refuse(turn, command, turn.missing or _missing(command, program))
        return
    entry = program.machine.states.get(command.entry)
    if command.entry and not isinstance(entry, MapState):
        _refuse(turn, command, Missing(UNKNOWN, f"{command.blueprint}@{command.version} has no Map {command.entry!r:.100}"))
        return
    size = len(encode(command.input))
    fits = size <= PAYLOAD_BYTES_MAX  # one that does not is written nowhere
    timeout_s = 0 if command.entry else program.machine.timeout_s
    turn.emit(
        e.ExecutionStarted,
        turn.flow_id,
        command.blueprint,
        command.version,
        command.hash,
        command.input if fits else None,
        turn.now + timeout_s * 1000 if timeout_s else 0,
        command.origin,
        command.keep_id,
        command.wait,
        command.traceparent if len(command.traceparent) <= TRACEPARENT_CHARACTERS_MAX else "",
        command.parent,
        command.entry,
    )
    if command.accepted is not None:
        turn.effects.append(Reply(command.accepted, turn.flow_id, "started"))
    if not fits:
        fail_flow(turn, DATA_LIMIT, too_large("the input of the flow", size).cause, bare=True)
        return
    enter_pending(turn)


def _missing(command: Start, program: Program | None) -> Missing:
    what = "is not known" if program is None else f"is known with hash {program.hash[:12]}, the start names {command.hash[:12]}"
    return Missing(UNKNOWN, f"{command.blueprint}@{command.version} {what}")


def _refuse(turn: Turn, command: Start, why: Missing) -> None:
    turn.effects.append(RefuseStart(turn.flow_id, why.reason, why.detail))
    for to in (command.accepted, command.wait):
        if to is not None:
            turn.effects.append(Reply(to, turn.flow_id, "unknown", detail=why.detail))
    report(turn, command.parent, "FAILED", None, NOT_STARTED, why.detail)


def _exists(turn: Turn, command: Start) -> None:
    """The id is taken by a living flow, by one kept for a redrive, or by a stub: whoever waits gets what is known."""
    flow = turn.flow
    detail = f"a flow with this id was started at offset {flow.run} and is {flow.status}"
    turn.effects.append(RefuseStart(turn.flow_id, EXISTS, detail))
    if command.accepted is not None:
        turn.effects.append(Reply(command.accepted, turn.flow_id, EXISTS, detail=detail))
    if command.wait is not None and not flow.running:
        turn.effects.append(Reply(command.wait, turn.flow_id, flow.status, flow.output, flow.error, flow.cause))
    if command.parent != flow.parent:
        report(turn, command.parent, "FAILED", None, NOT_STARTED, detail)
