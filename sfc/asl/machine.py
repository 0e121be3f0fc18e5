"""A compiled state machine."""

from __future__ import annotations

from dataclasses import dataclass

from sfc.asl.states import State, TaskState


@dataclass(frozen=True, slots=True)
class Machine:
    """``states`` holds all of them, those of branches too, by their names, which are unique over the whole machine."""

    start_at: str
    states: dict[str, State]
    timeout_s: int | None = None

    def resources(self) -> list[tuple[str, str]]:
        """JSON pointer and text of every Task state's ``Resource``, in the order of the document."""
        return [(f"{s.pointer}/Resource", s.resource) for s in self.states.values() if isinstance(s, TaskState)]
