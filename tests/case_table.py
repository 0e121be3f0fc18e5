"""The table of cases in tests/cases/*.yaml: blueprints with an input, what the services answer, and how the flow must end.

A case is the same wherever it runs: in memory (tests/unit/testing/test_table.py), or through the engine on a real Kafka
(tests/integration/test_cases_on_kafka.py). So what a service answers depends on the state, the attempt and the input alone.

::

    - name: retried-once          # the blueprint's name too: others may start it as a child
      states: {A: {Type: Task, …}, …}      # the first one is StartAt
      top: {TimeoutSeconds: 1}    # further members of the machine
      sfc: {MessageType: specific}         # and of its Sfc
      input: {}
      mocks: {A: [{throw: {error: Busy}}, {call: double}]}     # as those of sfc.testing; {call: …} names one of FUNCTIONS
      output: 2                   # or error: …, cause: …, status: TIMED_OUT
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sfc.asl import Machine, compile_machine
from sfc.engine.commands import Complete
from sfc.testing import TaskFailed
from sfc.testing.mocks import Answer, Mocks

FOLDER = Path(__file__).parent / "cases"
TASKS: dict[str, dict[str, Any]] = {
    "work": {"Name": "work"},
    "impatient": {"Name": "impatient", "TimeoutSeconds": 1, "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 1}]},
    "service": {
        "Name": "service",
        "Kafka": {"Topic": "sfc-cases-service", "ReplyTopic": "sfc-cases-service-done", "Correlate": {"Header": "sfc-job"}},
    },
}
"""The tasks that cases name."""
TOPICS = ("sfc-cases-audit", "sfc-cases-service", "sfc-cases-service-done")
"""Topics that are not SFC's own."""


def _refuse_odd(value: Any) -> Any:
    if value % 2:
        raise TaskFailed("Odd", f"{value} is odd")
    return value


def _page_of_ten(request: Any) -> Any:
    """The numbers below ten, three at a time; as an ItemReader's job gives them."""
    at = request.get("Cursor", 0)
    return {"Items": list(range(at, min(at + 3, 10))), "Next": at + 3 if at + 3 < 10 else None}


def _written(request: Any) -> Any:
    """What a ResultWriter's job answers."""
    return {"Bucket": "b", "Key": "manifest.json", "Of": sorted(request["Sizes"])} if request["Status"] == "MANIFEST" else {"Size": 7}


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "echo": lambda value: value,
    "double": lambda value: value * 2,
    "next": lambda value: {**value, "n": value["n"] + 1},
    "keys": sorted,
    "total": sum,
    "refuse-odd": _refuse_odd,
    "page-of-ten": _page_of_ten,
}


class Case(NamedTuple):
    """``document``: the whole blueprint. ``machine``: it compiled. ``spreads``: it starts flows, or names some that do."""

    name: str
    document: dict[str, Any]
    machine: Machine
    input: Any
    mocks: Mapping[str, Any]
    status: str
    output: Any = None
    error: str | None = None
    cause: str | None = None
    spreads: bool = False


@cache
def table() -> dict[str, Case]:
    """All cases by name."""
    found: dict[str, Case] = {}
    for file in sorted(FOLDER.glob("*.yaml")):
        for row in yaml.safe_load(file.read_text(encoding="utf-8")):
            case = _case(dict(row))
            assert case.name not in found, f"{file.name}: a second case {case.name}"
            found[case.name] = case
    return found


def _case(row: dict[str, Any]) -> Case:
    name, states = row.pop("name"), row.pop("states")
    machine = {"StartAt": next(iter(states)), "States": states, **row.pop("top", {})}
    document = {**machine, "Sfc": {"Name": name, **row.pop("sfc", {})}}
    mocks = {
        state: [FUNCTIONS[answer["call"]] if "call" in answer else answer for answer in answers]
        for state, answers in row.pop("mocks", {}).items()
    }
    status = row.pop("status", "FAILED" if "error" in row else "SUCCEEDED")
    text = yaml.safe_dump(machine)
    spreads = "blueprint:" in text or "DISTRIBUTED" in text
    return Case(name, document, compile_machine(machine), row.pop("input", {}), mocks, status, spreads=spreads, **row)


def answer_of(case: Case, state: str, attempt: int, token: str, value: Any) -> Answer:
    """What the service says to a job. What is to be written is written. Raises KeyError for a state without
    mocks."""
    if isinstance(value, dict) and "MapRunArn" in value:
        return Answer(Complete(token, _written(value)))
    answers = case.mocks[state]
    one = answers[min(attempt, len(answers)) - 1]
    return Mocks({state: [one]}, case.machine).answer(state, token, value)
