"""The examples on the page of the language do what the page says, and no field is without one."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sfc.asl.choice import LOGIC, OPERATORS
from sfc.asl.fields import FIELDS, FIELDS_JSONATA
from sfc.asl.functions import FUNCTIONS
from sfc.asl.map_reader import BATCHER, READER, WRITER
from sfc.asl.nesting import machines_in
from sfc.asl.policies import CATCHER, CATCHER_JSONATA, RETRIER
from sfc.asl.reader import MACHINE
from sfc.testing import run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "language.md"
TEXT = PAGE.read_text()
EXAMPLES = re.findall(r"^```yaml\n(# input: .*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
WORDS = set(re.findall(r"`([A-Za-z.]+)", TEXT))
EVERY = {"Type", "Comment", "QueryLanguage"}  # of all types alike
NAMED_ONLY = {"MaxItemsPerBatchPath", "MaxInputBytesPerBatchPath"}  # told with the fields that they are forms of


def states_of(machine: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for state in machine["States"].values():
        yield state
        for _, inner in machines_in(state):
            yield from states_of(inner)


def in_examples() -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Fields by type of state; fields of machines, retriers and catchers by these words."""
    states: dict[str, set[str]] = defaultdict(set)
    parts: dict[str, set[str]] = defaultdict(set)
    for example in EXAMPLES:
        machine = yaml.safe_load(example)
        parts["machine"].update(machine)
        for state in states_of(machine):
            states[state["Type"]].update(state)
            for word in ("Retry", "Catch"):
                for part in state.get(word, ()):
                    parts[word].update(part)
    return states, parts


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_gives_the_output_that_it_names(example: str) -> None:
    named = dict(re.findall(r"^# (input|mocks|output|error): (.*)$", example, re.MULTILINE))
    given, mocks = json.loads(named["input"]), json.loads(named.get("mocks", "{}"))
    outcome = run(yaml.safe_load(example), given, mocks=mocks)
    if "error" in named:
        assert (outcome.status, outcome.error) == ("FAILED", named["error"])
    else:
        assert (outcome.status, outcome.output) == ("SUCCEEDED", json.loads(named["output"])), (outcome.error, outcome.cause)


def test_every_field_of_every_state_has_an_example() -> None:
    states, parts = in_examples()
    missing = []
    for kind in FIELDS:
        for field in {*FIELDS[kind], *FIELDS_JSONATA[kind]} - EVERY:
            if field not in states[kind]:
                missing.append(f"{kind}.{field}")
    assert missing == []
    assert set().union(*states.values()) >= EVERY
    assert set(MACHINE) - parts["machine"] == {"Sfc"}
    assert set(RETRIER) - parts["Retry"] == set()
    assert {*CATCHER, *CATCHER_JSONATA} - parts["Catch"] == set()


def test_every_word_of_the_language_is_on_the_page() -> None:
    words = {field for table in (FIELDS, FIELDS_JSONATA) for fields in table.values() for field in fields}
    words |= {*MACHINE, *RETRIER, *CATCHER, *CATCHER_JSONATA, *LOGIC, *READER, *BATCHER, *WRITER} - NAMED_ONLY
    whole = {name for name in OPERATORS if not (name.endswith("Path") and name.removesuffix("Path") in OPERATORS)}
    assert sorted((words | whole) - WORDS - set(re.findall(r"\b[A-Z]\w+", " ".join(EXAMPLES)))) == []
    assert [name for name in FUNCTIONS if f"States.{name.removeprefix('States.')}(" not in TEXT] == []
