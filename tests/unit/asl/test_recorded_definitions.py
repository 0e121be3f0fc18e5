"""Definitions with recorded verdicts of Step Functions and of two linters. They are not part of this project.

``SFC_ASL_CASES`` names a folder with ``definitions.jsonl``: an object per line with ``id``, ``valid``, ``definition`` and, where
the recorded text was no JSON, ``definition_text``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sfc.asl import validate

FOLDER = os.environ.get("SFC_ASL_CASES", "")
# What AWS refuses because of which services it has, and what a linter takes because CloudFormation fills it in: here a Resource is a text.
ABOUT_RESOURCES = (
    "invalid-task-alias-function",
    "valid-task-intrisic-function",
    "::test_invalid_integration::",
    "::test_illegal_activity_task::",
)


def recorded() -> list[dict[str, Any]]:
    if not FOLDER:
        return []
    lines = (Path(FOLDER) / "definitions.jsonl").read_text().splitlines()
    return [case for case in map(json.loads, lines) if not any(part in case["id"] for part in ABOUT_RESOURCES)]


@pytest.mark.skipif(not FOLDER, reason="SFC_ASL_CASES names no folder with recorded definitions")
def test_recorded_verdicts_are_ours_too() -> None:
    cases = judged = 0
    wrong = []
    for case in recorded():
        cases += 1
        errors = [problem for problem in validate(case["definition"]) if problem.severity == "error"]
        if any(problem.code == "not-yet" for problem in errors):
            continue
        judged += 1
        if case["valid"] == bool(errors):
            wrong.append((case["id"], case["valid"], errors))
    assert wrong == []
    assert judged > cases / 3, "most of the recorded definitions were set aside as not yet supported"
