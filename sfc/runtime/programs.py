"""What the flows of a shard run: the versions that their starts name, and the ones that living flows have (EXACTLY-ONCE 8)."""

from __future__ import annotations

from sfc.engine.commands import Start
from sfc.engine.flow import Flow, Glance
from sfc.engine.program import Program
from sfc.engine.start import UNKNOWN
from sfc.engine.turn import Missing
from sfc.errors import ShardStopped
from sfc.runtime.definitions import Definitions
from sfc.runtime.intake import DefinitionsBehind

UNKNOWN_DEFINITIONS = "unknown-definitions"


class Programs:
    """Of one shard. ``definitions`` belong to its lane, and are stepped here where they must have come further."""

    def __init__(self, shard: int, definitions: Definitions) -> None:
        self._shard = shard
        self._definitions = definitions

    @property
    def position(self) -> int:
        """Everything before this offset of ``sfc.definitions`` is known here."""
        return self._definitions.position

    def of(self, flow: Flow | Glance | None) -> Program | None:
        """What the flow runs. Raises ShardStopped when it lives and this engine can't tell what it would do next: one that knows the
        version would decide something else."""
        if flow is None:
            return None
        definitions = self._definitions
        program = definitions.program(flow.blueprint, flow.version)
        if program is None or program.hash != flow.hash:
            definitions.read_to_end()
            program = definitions.program(flow.blueprint, flow.version)
        if program is not None and program.hash == flow.hash:
            return program
        if flow.running:
            named = f"{flow.blueprint}@{flow.version}"
            why = definitions.why_not(flow.blueprint, flow.version)
            if program is not None:
                why = f"{named} was saved with other content: hash {program.hash[:12]}, the flow has {flow.hash[:12]}"
            raise ShardStopped(
                f"shard {self._shard} has the running flow {flow.id} of {named}, and {why}."
                f" Start an engine of the release that ran it, or bring {definitions.names.definitions} back"
            )
        return None

    def await_start(self, start: Start) -> None:
        """Returns when all that the start was resolved by is known here, or there is nothing to wait for: whoever appends a start has the
        acknowledgement of the write that he names, so that one beyond the topic's end is refused. Raises DefinitionsBehind."""
        definitions, position = self._definitions, start.definitions
        if definitions.position >= position:
            return
        definitions.step(0.02)  # most often it is there already
        if definitions.position < position <= definitions.end():
            raise DefinitionsBehind(position)

    def of_start(self, start: Start) -> tuple[Program | None, Missing | None]:
        """The version that the start was resolved to, or why there is none. All before its offset is known, so that an absence is final."""
        definitions = self._definitions
        if definitions.position < start.definitions:
            topic = definitions.names.definitions
            what = f"the start names offset {start.definitions} of {topic}, which ends at {definitions.end()}"
            return None, Missing(UNKNOWN_DEFINITIONS, what)
        program = definitions.program(start.blueprint, start.version)
        return program, None if program else Missing(UNKNOWN, definitions.why_not(start.blueprint, start.version))
