"""The simulation sees: every bug that is planted in the real code breaks an invariant."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.simulation.mutation import PROCESSES, ROOT, Caught, Mutant, changed_by, hunt, mutants, plant, same_everywhere

ALL = mutants()
PAGE = ROOT / "docs" / "reference" / "simulation.md"
NAMES = [mutant.name for mutant in ALL]
Hunts = dict[str, "Future[Caught | None]"]


@pytest.fixture(scope="module")
def hunts(request: pytest.FixtureRequest) -> Iterator[Hunts]:
    """The hunts of the mutants that are asked for, two at a time."""
    chosen = {item.callspec.params["mutant"].name for item in request.session.items if "hunts" in getattr(item, "fixturenames", ())}  # type: ignore[attr-defined]
    with ThreadPoolExecutor(PROCESSES) as pool:
        yield {mutant.name: pool.submit(hunt, mutant) for mutant in ALL if mutant.name in chosen}


def test_the_page_lists_every_mutant_and_who_catches_it() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| .+ \| `([a-z-]+)` \| ", PAGE.read_text(), re.MULTILINE)
    assert len(ALL) >= 20
    assert rows == [(mutant.name, mutant.caught_by) for mutant in ALL]


@pytest.mark.parametrize("mutant", ALL, ids=NAMES)
def test_a_mutant_still_fits_the_code(mutant: Mutant, tmp_path: Path) -> None:
    plant(mutant, tmp_path)
    assert changed_by(mutant)
    for path in changed_by(mutant):
        source = (tmp_path / path).read_text()
        assert source != (ROOT / path).read_text()
        compile(source, path, "exec")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("mutant", ALL, ids=NAMES)
def test_a_mutant_is_caught(mutant: Mutant, hunts: Hunts) -> None:
    caught = hunts[mutant.name].result()
    assert caught is not None, f"{mutant.planted}: no invariant breaks"
    if caught.invariant != mutant.caught_by:  # which one breaks first may change with any edit of the code or the simulation
        warnings.warn(
            f"{mutant.name} is caught by {caught.invariant} now: run `python -m tests.simulation.mutation --record`", stacklevel=1
        )


def test_what_is_not_mutated_is_the_same_in_every_process() -> None:
    assert same_everywhere(ROOT, [1, 2, 3]) is None
