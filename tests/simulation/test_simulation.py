"""The simulation: its invariants hold over many seeds, a seed replays exactly, and every kind of fault happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter

from sfc.testing.simulation import simulate

SEEDS = int(os.environ.get("SFC_TEST_SEEDS", "100"))


def in_a_process(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=env, check=False)


def test_invariants_hold_over_many_seeds() -> None:
    ran = in_a_process("-m", "sfc.testing.simulation", "--seeds", str(SEEDS), "--processes", "2", "--json")
    told = json.loads(ran.stdout)
    assert told["broken"] is None
    assert (ran.returncode, told["seeds"]) == (0, SEEDS)
    assert told["least"]["flows"] >= 10
    assert told["least"]["steps"] >= 300


def test_a_seed_replays_exactly_whatever_the_order_of_sets() -> None:
    say = "from sfc.testing.simulation import simulate; print([simulate(seed).digest for seed in (1, 2, 3)])"
    first, second = (in_a_process("-c", say, hash_seed=seed).stdout for seed in ("1", "2"))
    assert first == second != ""


def test_two_seeds_are_two_worlds() -> None:
    one, other = simulate(1), simulate(2)
    assert one.digest != other.digest
    assert one.ended.total() == one.flows
    assert isinstance(one.faults, Counter)
