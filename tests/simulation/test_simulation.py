"""The simulation: invariants hold over many seeds, a seed replays exactly, all faults happen, and a broken run is made small."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from sfc.testing.simulation import FAULTS, Broken, simulate
from sfc.testing.simulation.many import main
from sfc.testing.simulation.run import planned
from sfc.testing.simulation.shrink import shrink

SEEDS = int(os.environ.get("SFC_TEST_SEEDS", "1000"))


def in_a_process(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=env, check=False)


@pytest.mark.timeout(1_200)
def test_invariants_hold_over_many_seeds_and_every_kind_of_fault_happens(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    ran = in_a_process("-m", "sfc.testing.simulation", "--seeds", str(SEEDS), "--processes", "2", "--result", str(result))
    told = json.loads(result.read_text())
    assert told["broken"] is None, ran.stdout
    assert (ran.returncode, told["seeds"]) == (0, SEEDS)
    least = told["least"]
    assert (least["flows"] >= 10, least["steps"] >= 300, least["faults"] >= 5) == (True, True, True), least
    if SEEDS >= 1_000:
        all = sum(told["faults"].values())
        assert {kind: n for kind, n in told["faults"].items() if n * 100 < all} == {}
    assert set(told["faults"]) == set(FAULTS)


def test_a_seed_replays_exactly_whatever_the_order_of_sets() -> None:
    say = "from sfc.testing.simulation import simulate; print([simulate(seed).digest for seed in (1, 2, 3)])"
    first, second = (in_a_process("-c", say, hash_seed=seed).stdout for seed in ("1", "2"))
    assert first == second != ""


def test_two_seeds_are_two_worlds_and_every_flow_ends() -> None:
    one, other = simulate(1), simulate(2)
    assert one.digest != other.digest
    assert one.ended.total() == one.flows >= 10


def test_a_planted_bug_is_seen_and_its_run_is_made_small(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Marks are not looked at: a command that comes twice is taken twice."""
    monkeypatch.setattr("sfc.runtime.shard.is_new", lambda state, received: True)
    seed = next(seed for seed in range(1, 200) if _breaks(seed))
    with pytest.raises(Broken) as broken:
        simulate(seed)
    assert main(["--first", str(seed), "--seeds", "1"]) == 1
    assert f"python -m sfc.testing.simulation --seeds 1 --first {seed}" in capsys.readouterr().out
    plan = planned(seed)
    found = shrink(plan, runs_max=60)
    assert found is not None
    assert found.broken.invariant == broken.value.invariant
    assert len(found.plan.deeds) + len(found.plan.births) <= (len(plan.deeds) + len(plan.births)) // 2


def _breaks(seed: int) -> bool:
    try:
        simulate(seed)
    except Broken:
        return True
    return False


def test_what_breaks_nothing_is_not_made_smaller(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--shrink", "1"]) == 0
    assert "breaks no invariant" in capsys.readouterr().out


def test_every_kind_of_fault_is_on_the_page() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/reference/simulation.md").read_text(encoding="utf-8")
    told = re.findall(r"`([a-z][a-z*-]+)`", page.partition("## Faults")[2].partition("## Invariants")[0])
    assert [kind for kind in FAULTS if not any(fnmatch(kind, pattern) for pattern in told)] == []
    assert [pattern for pattern in told if not any(fnmatch(kind, pattern) for kind in FAULTS)] == []
