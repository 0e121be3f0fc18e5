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


def supported(verdicts: list[Verdict]) -> list[Verdict]:
    """Without those that are skipped, or refused since something in them can't be run yet."""
    return [v for v in verdicts if not v.skipped and not any("not-yet" in said for said in v.said)]


def wrong(verdicts: list[Verdict]) -> list[str]:
    return [f"{v.id}: {v.said}" for v in verdicts if not v.good]


def test_nothing_raises(verdicts: tuple[list[Verdict], list[Verdict]]) -> None:
    assert [v.id for each in verdicts for v in each if any(said.startswith("RAISED") for said in v.said)] == []


def test_executions_end_as_recorded(verdicts: tuple[list[Verdict], list[Verdict]]) -> None:
    of = supported(verdicts[0])
    assert len(of) > len(verdicts[0]) / 2, "most of the recorded executions were set aside as not yet supported"
    assert len(wrong(of)) <= len(of) / 100, wrong(of)


def test_causes_read_as_recorded(verdicts: tuple[list[Verdict], list[Verdict]]) -> None:
    of = [v for v in supported(verdicts[0]) if v.cause is not None]
    assert sum(v.cause is True for v in of) >= 0.9 * len(of), [f"{v.id}: {v.said}" for v in of if not v.cause]


def test_definitions_are_accepted_and_refused_as_recorded(verdicts: tuple[list[Verdict], list[Verdict]]) -> None:
    of = supported(verdicts[1])
    assert len(of) > len(verdicts[1]) / 3, "most of the recorded definitions were set aside as not yet supported"
    assert len(wrong(of)) <= 0.02 * len(of), wrong(of)
