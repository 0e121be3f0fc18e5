"""Recorded executions and definitions come out the same here. They are no part of this project: see ``tests.conformance``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conformance import VARIABLE, Verdict, judged, table

FOLDER = os.environ.get(VARIABLE, "")

pytestmark = pytest.mark.skipif(not FOLDER, reason=f"{VARIABLE} names no folder with executions.jsonl and definitions.jsonl")


@pytest.fixture(scope="module")
def verdicts() -> tuple[list[Verdict], list[Verdict]]:
    found = judged(Path(FOLDER))
    print(table(found[0]), table(found[1]), sep="\n\n")
    return found


def judged_ones(verdicts: list[Verdict]) -> list[Verdict]:
    return [v for v in verdicts if not v.skipped]


def wrong(verdicts: list[Verdict]) -> list[str]:
    return [f"{v.id}: {v.said}" for v in verdicts if not v.good]


def test_nothing_raises(verdicts: tuple[list[Verdict], list[Verdict]]) -> None:
    assert [v.id for each in verdicts for v in each if any(said.startswith("RAISED") for said in v.said)] == []


def test_hardly_anything_is_skipped(verdicts: tuple[list[Verdict], list[Verdict]]) -> None:
    for each in verdicts:
        assert len(judged_ones(each)) >= 0.98 * len(each)


def test_executions_end_as_recorded(verdicts: tuple[list[Verdict], list[Verdict]]) -> None:
    of = judged_ones(verdicts[0])
    assert len(wrong(of)) <= 0.01 * len(of), wrong(of)


def test_causes_read_as_recorded(verdicts: tuple[list[Verdict], list[Verdict]]) -> None:
    of = [v for v in judged_ones(verdicts[0]) if v.cause is not None]
    assert sum(v.cause is True for v in of) >= 0.9 * len(of), [f"{v.id}: {v.said}" for v in of if not v.cause]


def test_definitions_are_accepted_and_refused_as_recorded(verdicts: tuple[list[Verdict], list[Verdict]]) -> None:
    of = judged_ones(verdicts[1])
    assert len(wrong(of)) <= 0.02 * len(of), wrong(of)
