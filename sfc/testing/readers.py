"""The items of a Map with an ItemReader, as mocks give them: ``{"return": [...]}``, ``{"throw": {...}}``, or a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from msgspec import structs

from sfc.asl import Failure, MapState
from sfc.engine.commands import Complete, Fail
from sfc.engine.program import Program
from sfc.testing.mocks import Mocks

READER_FAILED = "States.ItemReaderFailed"


def with_readers(program: Program, mocks: Mocks) -> Program:
    """The program with mocked readers: such a Map goes over what its mock gives."""
    states = dict(program.machine.states)
    for name, state in states.items():
        if isinstance(state, MapState) and state.reads and mocks.has(name):
            states[name] = replace(state, reads=False, items=_reading(name, mocks))
    return structs.replace(program, machine=replace(program.machine, states=states))


def _reading(name: str, mocks: Mocks) -> Callable[[Any, Any], Any]:
    def items(effective: Any, context: Any) -> Any:
        match mocks.answer(name, "", effective).command:
            case Complete(output=list() as found):
                return found
            case Fail(error=error, cause=cause):
                return Failure(error or READER_FAILED, cause)
            case _:
                return Failure(READER_FAILED, f"the mock of state {name!r} gives no list of items")

    return items
