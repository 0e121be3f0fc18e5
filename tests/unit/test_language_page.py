"""The examples on the page of the language do what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from sfc.testing import run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "language.md"
EXAMPLES = re.findall(r"^```yaml\n(# input: .*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_gives_the_output_that_it_names(example: str) -> None:
    named = {key: json.loads(value) for key, value in re.findall(r"^# (input|mocks|output): (.*)$", example, re.MULTILINE)}
    outcome = run(yaml.safe_load(example), named["input"], mocks=named.get("mocks"))
    assert (outcome.status, outcome.output) == ("SUCCEEDED", named["output"]), (outcome.error, outcome.cause)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 2
