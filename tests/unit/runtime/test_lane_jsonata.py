"""JSONata, chance and variables across the death of an engine: what was told to the world is told again, byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sfc.wire.definitions import BlueprintHead, BlueprintVersion
from sfc.wire.headers import CREDENTIALS, JOB, find
from tests.unit.runtime.lane_bench import Bench, settle

DOCUMENT = {
    "QueryLanguage": "JSONata",
    "StartAt": "One",
    "States": {
        "One": {
            "Type": "Task",
            "Resource": "task:echo@1",
            "Arguments": {"id": "{% $uuid() %}", "at": "{% $now() %}", "n": "{% $states.input.n * 2 %}"},
            "Assign": {"first": "{% $states.result.id %}"},
            "Credentials": {"RoleArn": "{% 'billing' %}"},
            "Next": "Two",
        },
        "Two": {
            "Type": "Task",
            "Resource": "task:echo@1",
            "Arguments": {"first": "{% $first %}", "second": "{% $uuid() %}"},
            "End": True,
        },
    },
    "Sfc": {"Name": "drawn"},
}


@pytest.fixture
def drawn(bench: Bench) -> Bench:
    bench.define(BlueprintVersion("drawn", 1, "h-drawn", DOCUMENT))
    bench.define(BlueprintHead("drawn", 1, "enabled", 1))
    return bench


def test_an_engine_that_dies_before_its_commit_has_drawn_what_its_successor_draws(drawn: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    lane = drawn.lane()
    settle(drawn, [lane], 3)

    def breaks(*_: Any) -> None:
        raise MemoryError

    for shard in lane.shards.values():
        monkeypatch.setattr(shard, "commit", breaks)
    drawn.start("drawn:a", {"n": 2})
    with pytest.raises(MemoryError):
        settle(drawn, [lane])
    lane.close()
    assert drawn.histories() == []
    told = drawn.jobs.take(10, 0)
    assert len(told) == 1
    second = drawn.lane()
    again = drawn.await_jobs(second)
    assert [job.value for job in again] == [job.value for job in told]
    assert [find(job.headers, JOB) for job in again] == [find(job.headers, JOB) for job in told]
    assert json.loads(again[0].value or b"")["n"] == 4
    second.close()


def test_an_engine_that_takes_over_knows_the_variables(drawn: Bench) -> None:
    lane = drawn.lane()
    drawn.start("drawn:a", {"n": 2})
    first = drawn.await_jobs(lane)[0]
    drawn.answer(first, first.value)
    second = drawn.await_jobs(lane)[0]
    assert [find(job.headers, CREDENTIALS) for job in (first, second)] == [b"billing", None]
    settle(drawn, [lane], 10)
    lane.close()
    successor = drawn.lane()
    drawn.answer(second, second.value)
    drawn.run([successor], lambda: bool(drawn.answers))
    assert drawn.answers[0].status == "SUCCEEDED"
    assert drawn.answers[0].output["first"] == json.loads(first.value or b"")["id"] != drawn.answers[0].output["second"]
    successor.close()
