"""The items of a Map with an ItemReader, as mocks give them: ``{"return": [...]}``, ``{"throw": {...}}``, or a function.

A mock stands for what there is to read. All else is as on an engine: what the reader is told is made of the state's fields by the
engine's own code, and what is taken of the items by that of the common workers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from msgspec import structs

from sfc.asl import Failure, MapState
from sfc.asl.map_state import ItemReader
from sfc.engine import reading
from sfc.engine.commands import Complete, Fail
from sfc.engine.program import Program
from sfc.engine.reading import READER_FAILED
from sfc.engine.sources import READ, source_problems
from sfc.testing.mocks import Mocks


def with_readers(program: Program, mocks: Mocks) -> Program:
    """The program with mocked readers: such a Map goes over what its mock gives."""
    states = dict(program.machine.states)
    for name, state in states.items():
        if isinstance(state, MapState) and state.reader is not None and mocks.has(name):
            resource = program.targets[name].resource.removeprefix(READ)
            states[name] = replace(state, reads=False, items=_reading(state, state.reader, resource, mocks))
    return structs.replace(program, machine=replace(program.machine, states=states))


def _reading(state: MapState, reader: ItemReader, resource: str, mocks: Mocks) -> Callable[[Any, Any], Any]:
    def items(effective: Any, context: Any) -> Any:
        if isinstance(state.tolerance(effective, context), Failure):
            return []  # the engine finds that before it reads, and says so itself when it has the items
        request = reading.told(state, reader, effective, context)
        if isinstance(request, Failure):
            return request
        if state.writer is not None and state.writer.resource:
            writes = state.writer.request(effective, context)
            if isinstance(writes, Failure):
                return writes
        return _read(state.name, resource, request, effective, mocks)

    return items


def _read(name: str, resource: str, request: dict[str, Any], effective: Any, mocks: Mocks) -> list[Any] | Failure:
    """What a common worker would answer, all pages together."""
    from sfc_workers.item_readers import first_of, most_asked
    from sfc_workers.tasks import TaskError

    # Any machine may be run here; a Resource that nothing reads from is a matter of its deploy, and so are its Parameters.
    asked = request if not source_problems(resource, {}) else {**request, "Parameters": {}}
    try:
        most = most_asked(resource, asked)
        match mocks.answer(name, "", effective).command:
            case Complete(output=list() as found):
                return first_of(found, most)
            case Fail(error=error, cause=cause):
                return Failure(error or READER_FAILED, cause)
            case _:
                return Failure(READER_FAILED, f"the mock of state {name!r} gives no list of items")
    except TaskError as e:
        return Failure(e.error, e.cause)
