"""Random blueprints: sound, of every kind of state, ending whatever their jobs answer, and the same for the same chance."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from sfc.asl import validate
from sfc.testing import run
from sfc.testing.generated import ERRORS, Jobs, blueprint
from sfc.testing.mocks import TaskFailed

JOBS = Jobs(children=("blueprint:leaf@1",))
SEEDS = 500
PER_TEST = 50


def states_of(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in machine["States"].items():
        yield name, state
        for inner in (*state.get("Branches", ()), *([state["ItemProcessor"]] if "ItemProcessor" in state else ())):
            yield from states_of(inner)


def mocks_for(definition: dict[str, Any], rng: random.Random) -> dict[str, list[Any]]:
    """Workers that answer anything and fail at times; of the signals every other one never comes."""

    def work(value: Any) -> Any:
        if rng.random() < 0.15:
            raise TaskFailed(rng.choice(ERRORS), "c")
        return rng.choice((1, {"x": value}, None, [1]))

    answered: dict[str, list[Any]] = {}
    for name, state in states_of(definition):
        if state["Type"] == "Task" and not state["Resource"].startswith("topic:"):
            signal = state["Resource"].startswith("signal:")
            answered[name] = [rng.choice(({"return": 1}, {"never": True}))] if signal else [work]
    return answered


@pytest.mark.parametrize("first", range(0, SEEDS, PER_TEST))
def test_a_blueprint_is_sound_and_its_flow_ends(first: int) -> None:
    for seed in range(first, first + PER_TEST):
        definition, given = blueprint(random.Random(seed), jobs=JOBS)
        assert [problem for problem in validate(definition) if problem.severity == "error"] == [], seed
        outcome = run(definition, given, mocks=mocks_for(definition, random.Random(seed)))
        assert outcome.status in ("SUCCEEDED", "FAILED", "TIMED_OUT"), seed
        assert outcome.error != "States.Runtime", (seed, outcome.cause)  # it fails by what jobs say, not by what it says itself
        assert outcome.error != "States.QueryEvaluationError", (seed, outcome.cause)


def test_the_same_chance_gives_the_same_blueprint() -> None:
    for seed in range(50):
        assert blueprint(random.Random(seed), jobs=JOBS) == blueprint(random.Random(seed), jobs=JOBS)
    assert blueprint(random.Random(1)) != blueprint(random.Random(2))


def test_every_kind_of_state_occurs_often() -> None:
    kinds: Counter[str] = Counter()
    resources: Counter[str] = Counter()
    fields: Counter[str] = Counter()
    for seed in range(SEEDS):
        definition, _ = blueprint(random.Random(seed), jobs=JOBS)
        fields["jsonata machine"] += "QueryLanguage" in definition
        for _, state in states_of(definition):
            kinds[state["Type"]] += 1
            fields.update(state.keys())
            resources[state.get("Resource", "")] += 1
            fields["distributed"] += "ProcessorConfig" in state.get("ItemProcessor", ())
    for kind in ("Task", "Pass", "Choice", "Wait", "Parallel", "Map", "Join", "Succeed", "Fail"):
        assert kinds[kind] >= 50, kind
    for resource in (*JOBS.tasks, *JOBS.exactly_once, *JOBS.topics, *JOBS.signals, *JOBS.children):
        assert resources[resource] >= 50, resource
    often = ("Retry", "Catch", "TimeoutSeconds", "HeartbeatSeconds", "Assign", "QueryLanguage", "Detached", "Timestamp")
    for what in (*often, "jsonata machine", "distributed"):
        assert fields[what] >= 20, what


def test_a_caller_names_the_resources() -> None:
    jobs = Jobs(tasks=("task:only@3",), exactly_once=(), topics=(), signals=(), distributed=False)
    for seed in range(200):
        definition, _ = blueprint(random.Random(seed), jobs=jobs)
        for _, state in states_of(definition):
            assert state.get("Resource", "task:only@3") == "task:only@3"
            assert "ProcessorConfig" not in state.get("ItemProcessor", ())
