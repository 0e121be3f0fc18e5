"""Plants known bugs, one by one, in a copy of ``sfc/``, and lets the simulation look for them.

A mutant is ``mutants/NAME.patch``: a unified diff on the real code, below a header that says what is planted, which rule of exactly
once it breaks, which invariant catches it, the seed that does so at once, and the kinds of faults that are needed for it.
``python -m tests.simulation.mutation`` hunts them all, or the NAMES given; ``--record`` writes what it found into the headers.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
MUTANTS = Path(__file__).resolve().parent / "mutants"
SEEDS = 200
EVERYWHERE_SEEDS = 5
PROCESSES = 2
RUN_S = 300
EVERYWHERE = "same-in-every-process"
"""Not an invariant of one run: the same seed must leave the same log in processes that hash texts differently."""
_HASH_SEEDS = ("1", "2")
_END_OF_HEADER = "---\n"


class Mutant(NamedTuple):
    """``caught_by`` and ``seed`` are of an earlier hunt; "" and 0 where there was none. ``faults``: kinds that bring it to light; seeds
    with most of them are tried first."""

    name: str
    planted: str
    rule: str
    caught_by: str
    seed: int
    faults: tuple[str, ...]
    patch: Path


class Caught(NamedTuple):
    """The invariant that broke, and the first seed that broke it. ``tried``: all seeds up to that."""

    invariant: str
    seed: int
    detail: str
    tried: list[int]


Looks = Callable[..., Caught | None]


def mutants() -> list[Mutant]:
    """All mutants, by name."""
    return [_read(path) for path in sorted(MUTANTS.glob("*.patch"))]


def _read(path: Path) -> Mutant:
    head = dict(line.split(": ", 1) for line in path.read_text().partition(_END_OF_HEADER)[0].splitlines())
    faults = tuple(head["Faults"].split(", ")) if "Faults" in head else ()
    return Mutant(path.stem, head["Planted"], head["Rule"], head.get("Caught-by", ""), int(head.get("Seed", 0)), faults, path)


def changed_by(mutant: Mutant) -> list[str]:
    """The files of its patch."""
    return re.findall(r"^\+\+\+ b/(\S+)", mutant.patch.read_text(), re.MULTILINE)


def plant(mutant: Mutant, folder: Path) -> None:
    """Applies the patch to copies of its files in the folder. Raises ValueError where it does not fit the code any more."""
    for path in changed_by(mutant):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, folder / path)
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}  # the folder may lie in a repository
    done = subprocess.run(
        ["git", "apply", "--whitespace=nowarn", str(mutant.patch)],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ValueError(
            f"{mutant.patch.relative_to(ROOT)} does not fit the code any more: change the patch so that it plants the same bug"
            f" ({mutant.planted}).\n{done.stderr.strip()}"
        )


def hunt(mutant: Mutant, seeds: int = SEEDS) -> Caught | None:
    """Whether the simulation sees the bug: first with the recorded seed, then with all of them. None where it survives."""
    with tempfile.TemporaryDirectory(prefix="sfc-mutant-") as made:
        folder = Path(made)
        shutil.copytree(ROOT / "sfc", folder / "sfc")
        plant(mutant, folder)
        looks = same_everywhere if mutant.caught_by == EVERYWHERE else simulated
        found = looks(folder, [mutant.seed]) if mutant.seed else None
        found = found or _search(folder, looks, list(range(1, seeds + 1)), mutant.faults)
        if found is None and looks is simulated:
            found = _search(folder, same_everywhere, list(range(1, EVERYWHERE_SEEDS + 1)), ())
        return found


def _search(folder: Path, looks: Looks, seeds: list[int], faults: tuple[str, ...]) -> Caught | None:
    """The first seed that breaks here and holds in the code as it is."""
    while seeds:
        found = looks(folder, seeds, faults)
        if found is None or looks(ROOT, [found.seed], ()) is None:
            return found
        seeds = [seed for seed in seeds if seed not in found.tried]
    return None


def simulated(folder: Path, seeds: list[int], faults: tuple[str, ...] = ()) -> Caught | None:
    """What breaks first with the ``sfc`` of the folder."""
    told = _run(folder, seeds, faults)
    return Caught(told["invariant"], told["seed"], told["detail"], told["tried"]) if "invariant" in told else None


def same_everywhere(folder: Path, seeds: list[int], faults: tuple[str, ...] = ()) -> Caught | None:
    """Runs the same seeds in two processes that hash texts differently, and compares what the logs hold in the end."""
    one, other = (_run(folder, seeds, faults, hash_seed) for hash_seed in _HASH_SEEDS)
    for seed in one["tried"]:
        if (here := one["digests"].get(str(seed))) != (there := other["digests"].get(str(seed))):
            return Caught(EVERYWHERE, seed, f"one process left {here}, another {there}", [seed])
    return None


def _run(folder: Path, seeds: list[int], faults: tuple[str, ...], hash_seed: str = "0") -> dict[str, Any]:
    """What ``drive`` prints, in a process that imports ``sfc`` from the folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONHASHSEED": hash_seed, "SFC_LOG_LEVEL": "ERROR"}
    done = subprocess.run(
        [sys.executable, __file__, "--drive", json.dumps([seeds, faults])],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=RUN_S, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"the simulation ended with {done.returncode}:\n{done.stderr[-800:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if told["sfc"] != str(folder.resolve() / "sfc"):
        raise RuntimeError(f"{told['sfc']} was imported, and not the copy in {folder}")
    return told


def drive(seeds: list[int], faults: list[str]) -> dict[str, Any]:
    """Runs seeds until one breaks an invariant, those first that plan most of the faults."""
    import sfc
    from sfc.testing.simulation import Broken, simulate
    from sfc.testing.simulation.run import planned

    def fits(seed: int) -> int:
        return -sum(deed.kind in faults for deed in planned(seed).deeds)

    digests: dict[int, str] = {}
    told: dict[str, Any] = {"sfc": str(Path(str(sfc.__file__)).resolve().parent), "digests": digests, "tried": []}
    for seed in sorted(seeds, key=fits) if faults else seeds:
        told["tried"].append(seed)
        try:
            digests[seed] = simulate(seed).digest
        except Broken as broken:
            return {**told, "invariant": broken.invariant, "seed": seed, "detail": broken.detail}
    return told


def record(mutant: Mutant, caught: Caught) -> None:
    """Writes who caught the mutant into its header."""
    _, _, diff = mutant.patch.read_text().partition(_END_OF_HEADER)
    head = {"Planted": mutant.planted, "Rule": mutant.rule, "Caught-by": caught.invariant, "Seed": str(caught.seed)}
    if mutant.faults:
        head["Faults"] = ", ".join(mutant.faults)
    mutant.patch.write_text("".join(f"{name}: {value}\n" for name, value in head.items()) + _END_OF_HEADER + diff)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutation", description="Hunts planted bugs with the simulation.")
    parser.add_argument("names", nargs="*", help="mutants; all where none is named")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--record", action="store_true", help="write invariant and seed into the patches")
    parser.add_argument("--drive", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.drive:
        print(json.dumps(drive(*json.loads(options.drive))))
        return 0
    chosen = [mutant for mutant in mutants() if not options.names or mutant.name in options.names]
    survivors = 0

    def one(mutant: Mutant) -> tuple[Mutant, Caught | Exception | None]:
        try:
            return mutant, hunt(mutant, options.seeds)
        except (ValueError, RuntimeError, subprocess.TimeoutExpired) as error:
            return mutant, error

    with ThreadPoolExecutor(PROCESSES) as pool:
        for mutant, found in pool.map(one, chosen):
            if isinstance(found, Caught):
                print(f"{mutant.name:36} {found.invariant:32} seed {found.seed}: {found.detail[:200]!r}", flush=True)
                if options.record:
                    record(mutant, found)
            else:
                survivors += 1
                print(f"{mutant.name:36} {'SURVIVES' if found is None else f'{type(found).__name__}: {found}'}", flush=True)
    print(f"{len(chosen)} mutants, {survivors} not caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
