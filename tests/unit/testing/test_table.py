"""The table of cases in memory. tests/integration/test_cases_on_kafka.py runs the same through engines on a real Kafka."""

from __future__ import annotations

import msgspec
import pytest

from sfc.asl import MapState
from sfc.engine.events import AnyEvent
from sfc.engine.evolve import evolve
from sfc.engine.flow import Flow
from sfc.engine.states import ENTER
from sfc.testing import run
from sfc.testing.outcome import history_of, output_of
from tests.case_histories import stories, story_of
from tests.case_table import TASKS, table
from tests.case_worlds import lives_of, program_of, world_of

encode = msgspec.json.Encoder().encode


def test_the_table_has_every_state_type_in_both_languages_and_every_kind_of_target() -> None:
    kinds, targets = set(), set()
    for case in table().values():
        for state in case.machine.states.values():
            kind = "distributed Map" if isinstance(state, MapState) and state.distributed else state.kind
            kinds.add((kind, "JSONata" if state.jsonata else "JSONPath"))
        program = program_of(case.name)
        targets |= {target.kind for target in (*program.targets.values(), *program.writers.values())}
    assert kinds == {(kind, language) for kind in (*ENTER, "distributed Map") for language in ("JSONPath", "JSONata")}
    assert targets == {"task", "topic", "http", "signal", "flow", "reader", "writer"}


@pytest.mark.parametrize("name", table())
def test_a_flow_ends_as_the_table_says_its_events_fold_to_it_and_deciding_again_gives_the_same(name: str) -> None:
    case = table()[name]
    lives = world_of(case).lives
    top = lives[f"{name}:run"]
    assert top.flow is not None
    assert (top.flow.status, top.flow.error) == (case.status, case.error), top.flow.cause
    assert case.cause in (None, top.flow.cause)
    if case.status == "SUCCEEDED":
        assert output_of(history_of(top.events)) == case.output
    assert [encode(folded(life.events)) for life in lives.values()] == [encode(life.flow) for life in lives.values()]
    again = world_of(case).lives
    assert encode([life.events for life in again.values()]) == encode([life.events for life in lives.values()]), "byte for byte"


@pytest.mark.parametrize("name", [case.name for case in table().values() if not case.spreads])
def test_run_tells_the_same_history_as_the_linked_program(name: str) -> None:
    case = table()[name]
    outcome = run(case.document, case.input, mocks=case.mocks, tasks=TASKS)
    lives = lives_of(case)
    assert (outcome.status, outcome.error) == (case.status, case.error)
    assert story_of(outcome.history, {outcome.id: "top"}) == stories(lives, outcome.id)["top"]


def folded(events: list[AnyEvent]) -> Flow | None:
    flow: Flow | None = None
    for event in events:
        flow = evolve(flow, event)
    return flow
