"""Two minutes in which brokers and processes die on a real Kafka: nothing is lost, doubled or stuck."""

from __future__ import annotations

import time

import pytest
from rich.console import Console

from tests.chaos.faults import KILL_BROKER, KILLS
from tests.chaos.run import Options, Run
from tests.services import Absent


@pytest.mark.timeout(900)
def test_nothing_is_lost_or_doubled_while_everybody_dies(capfd: pytest.CaptureFixture[str]) -> None:
    options = Options(minutes=2, flows=2_000, seed=int(time.time()), every_s=(3, 8), late=2, freeze_max_s=18)
    with capfd.disabled():  # the faults, as they happen
        print()
        try:
            run = Run(options, Console(width=140))
        except Absent as absent:
            (pytest.fail if absent.fails else pytest.skip)(str(absent))
        outcome = run.go()
    assert outcome.wrong == []
    assert all(outcome.faults.get(kind) for kind in (*KILLS, KILL_BROKER)), "somebody was never killed"
    assert outcome.acknowledged >= options.flows / 2
    found = outcome.verdict
    assert (found.lost, found.doubled, found.gaps, found.orphaned) == (0, 0, 0, 0)
