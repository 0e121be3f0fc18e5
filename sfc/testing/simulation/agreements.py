"""What flows and commands owe to each other by their names and numbers (EXACTLY-ONCE 1 to 3, 9), written a second time on purpose."""

from __future__ import annotations

from sfc.engine import events as e
from sfc.engine.commands import ChildEnded, Command, HoldChild, Origin, Parent, Start, Stop
from sfc.engine.flow import Flow

ID_CHARACTERS_MAX = 200


def wrong_child(flow_id: str, blueprint: str, parent: Parent) -> str:
    """A child is called after its parent, the parent's run, and the number of the event that scheduled it, and after nothing else.
    Returns the name that was expected, "" when it is that."""
    flow, run, seq, _ = parent.token.split("/")
    place = f"-{parent.index}" if parent.index >= 0 else ""
    expected = f"{blueprint}:{flow}.{run}.{seq}{place}"
    return "" if flow_id == expected or len(expected) > ID_CHARACTERS_MAX else expected


def lacks_source(command: Command, source: str) -> bool:
    """Whether the command is one whose appender may repeat himself, and nothing tells who it is: what flows send each other, and starts
    for records of topics."""
    match command:
        case Start(parent=Parent()) | ChildEnded() | HoldChild():
            return not source.startswith("shard/")
        case Stop(child_of=token) if token:
            return not source.startswith("shard/")
        case Start(origin=Origin(kind="topic")):
            return not source.startswith(("trigger/", "control/", "shard/"))
        case _:
            return False


def wrong_attempt(flow: Flow, event: e.AnyEvent) -> bool:
    """Whether the first job of a state that has just been entered is not its first attempt. ``flow``: before the event."""
    return isinstance(event, e.TaskScheduled) and flow.branches[event.branch].phase == "entered" and event.attempt != 1


class HeldAnswers:
    """Answers that came while a flow stood. When it goes on they are taken, each by the job that it is for."""

    def __init__(self) -> None:
        self._taken: dict[str, set[str]] = {}

    def before(self, flow: Flow, event: e.AnyEvent) -> None:
        """Looks at an event before the flow follows it."""
        if isinstance(event, e.OutcomesTaken):
            self._taken[flow.id] = {outcome.token for outcome in flow.inbox if not isinstance(outcome, ChildEnded)}

    def left(self, flow: Flow) -> list[str]:
        """After a record of history: jobs that are open still, though the answer was there."""
        taken = self._taken.pop(flow.id, None)
        if not taken:
            return []
        held_again = {outcome.token for outcome in flow.inbox}
        return sorted(b.token for b in flow.branches.values() if b.phase == "job" and b.token in taken and b.token not in held_again)
