"""Children whose ends flows await: who is not awaited any more has ended, or was told to stop."""

from __future__ import annotations

from sfc.engine.flow import Flow
from sfc.testing.simulation.commands_seen import CommandsSeen

_Awaited = dict[tuple[str, int], str]
"""By token and place in a Map (-1: none) the child."""


class Awaited:
    """Looks at flows each time that something of them was committed; the commands that this led to are on the log by then."""

    def __init__(self, commands: CommandsSeen) -> None:
        self._commands = commands
        self._before: dict[tuple[str, int], _Awaited] = {}

    def left(self, flow: Flow) -> list[str]:
        """Children that this life of the flow awaited when it was committed before, does not any more, and has left alone."""
        key = flow.id, flow.run
        now = _awaited(flow) if flow.running else {}
        before = self._before.pop(key, {})
        if now:
            self._before[key] = now
        known = self._commands
        return [
            child
            for place, child in before.items()
            if place not in now and place not in known.children_ended and (child, place[0]) not in known.children_stopped
        ]


def _awaited(flow: Flow) -> _Awaited:
    found: _Awaited = {}
    for branch in flow.branches.values():
        if branch.child:
            found[branch.token, -1] = branch.child
        elif branch.phase == "spread" and branch.map is not None:
            seq = branch.token.split("/")[2]
            found.update({(branch.token, n): f"{flow.blueprint}:{flow.id}.{flow.run}.{seq}-{n}" for n in branch.map.open})
    return found
