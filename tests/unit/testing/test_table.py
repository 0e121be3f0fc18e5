"""The table of cases in memory. tests/integration/test_cases_on_kafka.py runs the same through engines on a real Kafka."""

from __future__ import annotations

import msgspec
import pytest

from sfc.engine.events import AnyEvent
from sfc.engine.evolve import evolve
from sfc.engine.flow import Flow
from sfc.testing import run
from sfc.testing.outcome import history_of, output_of
from tests.case_histories import stories, story_of
from tests.case_table import TASKS, table
from tests.case_worlds import lives_of

encode = msgspec.json.Encoder().encode


@pytest.mark.parametrize("name", table())
def test_a_flow_ends_as_the_table_says_and_so_a_second_time(name: str) -> None:
    case = table()[name]
    lives = lives_of(case)
    top = f"{name}:run"
    flow = folded(lives[top])
    assert (flow.status, flow.error) == (case.status, case.error), flow.cause
    assert case.cause in (None, flow.cause)
    if flow.status == "SUCCEEDED":
        assert output_of(history_of(lives[top])) == case.output
    assert encode(list(lives.values())) == encode(list(lives_of(case).values())), "the same again, byte for byte"


@pytest.mark.parametrize("name", [case.name for case in table().values() if not case.spreads])
def test_run_tells_the_same_history_as_the_linked_program(name: str) -> None:
    case = table()[name]
    outcome = run(case.document, case.input, mocks=case.mocks, tasks=TASKS)
    lives = lives_of(case)
    assert (outcome.status, outcome.error) == (case.status, case.error)
    assert story_of(outcome.history, {outcome.id: "top"}) == stories(lives, outcome.id)["top"]


def folded(events: list[AnyEvent]) -> Flow:
    flow: Flow | None = None
    for event in events:
        flow = evolve(flow, event)
    assert flow is not None
    return flow
