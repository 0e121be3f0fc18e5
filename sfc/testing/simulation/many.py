"""Many seeds, in one process or several, with totals."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

from sfc.testing.simulation.broken import Broken, Report
from sfc.testing.simulation.faults import FAULTS
from sfc.testing.simulation.run import planned, simulate
from sfc.testing.simulation.shrink import shrink

PORTION = 20
MODULE = "sfc.testing.simulation"


class Totals:
    """What many runs have come to. ``least_*``: of the run that had least."""

    def __init__(self) -> None:
        self.seeds = self.flows = self.steps = 0
        self.least_flows = self.least_steps = self.least_faults = 1 << 62
        self.ended: Counter[str] = Counter()
        self.faults: Counter[str] = Counter(dict.fromkeys(FAULTS, 0))

    def add(self, report: Report) -> None:
        self.seeds += 1
        self.flows += report.flows
        self.steps += report.steps
        self.least_flows = min(self.least_flows, report.flows)
        self.least_steps = min(self.least_steps, report.steps)
        self.least_faults = min(self.least_faults, report.faults.total())
        self.ended += report.ended
        self.faults.update(report.faults)

    def rare(self) -> dict[str, float]:
        """Kinds of faults that are less than 1 % of all, with their parts."""
        all = self.faults.total() or 1
        return {kind: n / all for kind, n in self.faults.items() if n * 100 < all}

    def plain(self) -> dict[str, Any]:
        return {
            "seeds": self.seeds,
            "flows": self.flows,
            "steps": self.steps,
            "least": {"flows": self.least_flows, "steps": self.least_steps, "faults": self.least_faults} if self.seeds else {},
            "ended": dict(sorted(self.ended.items())),
            "faults": dict(self.faults.most_common()),
        }


def run_portion(seeds: Sequence[int]) -> tuple[list[Report], tuple[int, str, int, str] | None]:
    """The reports of these seeds, up to the first that is broken; and that one."""
    reports: list[Report] = []
    for seed in seeds:
        try:
            reports.append(simulate(seed))
        except Broken as broken:
            return reports, (broken.seed, broken.invariant, broken.step, broken.detail)
        except KeyboardInterrupt:  # told to everybody at the terminal; the totals are the first process's to print
            break
    return reports, None


def run_many(first: int, seeds: int, processes: int = 1) -> Iterator[Report]:
    """Reports in the order in which they come. Raises Broken; of several at once the lowest seed's."""
    portions = [range(n, min(n + PORTION, first + seeds)) for n in range(first, first + seeds, PORTION)]
    if processes <= 1:
        for seed in range(first, first + seeds):
            yield simulate(seed)
        return
    with ProcessPoolExecutor(processes) as pool:
        waiting: list[Future[tuple[list[Report], tuple[int, str, int, str] | None]]] = [pool.submit(run_portion, p) for p in portions]
        try:
            for future in waiting:
                reports, broken = future.result()
                yield from reports
                if broken is not None:
                    raise Broken(*broken)
        finally:
            for future in waiting:
                future.cancel()


def main(arguments: Sequence[str]) -> int:
    """The command. 0: all held; 1: an invariant is broken; 2: it was called wrongly; 130: interrupted, with the totals so far."""
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description="Runs the engine in a world of faults, seed by seed.")
    parser.add_argument("--seeds", type=int, default=100, help="how many (default 100)")
    parser.add_argument("--first", type=int, default=1, help="the first one (default 1)")
    parser.add_argument("--processes", type=int, default=1, help="at work at once (default 1)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--result", type=Path, help="a file that gets the JSON object, too")
    parser.add_argument("--shrink", type=int, metavar="SEED", help="make this seed's run as small as it can be and still break")
    chosen = parser.parse_args(arguments)
    if chosen.shrink is not None:
        return _shrink(chosen.shrink)
    if chosen.seeds < 1 or chosen.processes < 1:
        parser.error("--seeds and --processes take numbers from 1")
    totals, began_s = Totals(), time.monotonic()
    broken: Broken | None = None
    interrupted = False
    with _progress(chosen.seeds, shown=not chosen.json) as step:
        try:
            for report in run_many(chosen.first, chosen.seeds, chosen.processes):
                totals.add(report)
                step()
        except Broken as e:
            broken = e
        except KeyboardInterrupt:
            interrupted = True
    result = {**totals.plain(), "first": chosen.first, "seconds": round(time.monotonic() - began_s, 1), "broken": _plain(broken)}
    if chosen.result is not None:
        chosen.result.parent.mkdir(parents=True, exist_ok=True)
        chosen.result.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result) if chosen.json else _lines(result))
    return 130 if interrupted else 0 if broken is None else 1


def _shrink(seed: int) -> int:
    """Prints the smallest run that breaks the same invariant. 0 where the seed breaks nothing."""
    plan = planned(seed)
    found = shrink(plan)
    if found is None:
        print(f"seed {seed} breaks no invariant")
        return 0
    print(f"BROKEN  {found.broken.invariant}  (step {found.broken.step}; {found.runs} runs)\n  {found.broken.detail}")
    print(f"flows: {len(found.plan.births)} of {len(plan.births)}; faults: {len(found.plan.deeds)} of {len(plan.deeds)}")
    for birth in found.plan.births:
        print(f"  step {birth.step:4}  a flow is started (salt {birth.salt})")
    for deed in found.plan.deeds:
        print(f"  step {deed.step:4}  {deed.kind} (salt {deed.salt})")
    return 1


def _plain(broken: Broken | None) -> dict[str, Any] | None:
    if broken is None:
        return None
    replay = f"python -m {MODULE} --seeds 1 --first {broken.seed}"
    return {"seed": broken.seed, "invariant": broken.invariant, "step": broken.step, "detail": broken.detail, "replay": replay}


def _lines(result: dict[str, Any]) -> str:
    lines = [f"{result['seeds']} seeds, {result['flows']} flows, {result['steps']} steps in {result['seconds']} s"]
    lines += [f"ended: {', '.join(f'{status} {n}' for status, n in result['ended'].items())}"] if result["ended"] else []
    all = sum(result["faults"].values()) or 1
    lines += [f"{n:8}  {n / all:6.1%}  {kind}" for kind, n in result["faults"].items()]
    if (broken := result["broken"]) is not None:
        lines += [
            "",
            f"BROKEN  {broken['invariant']}  (seed {broken['seed']}, step {broken['step']})",
            f"  {broken['detail']}",
            f"  replay: {broken['replay']}",
        ]
    return "\n".join(lines)


class _progress:
    """A bar on a terminal, nothing elsewhere."""

    def __init__(self, seeds: int, *, shown: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("seeds"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=console, disable=not (shown and console.is_terminal), transient=True,
        )  # fmt: skip
        self._task = self._progress.add_task("seeds", total=seeds)

    def __enter__(self) -> Any:
        self._progress.start()
        return lambda: self._progress.advance(self._task)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
        sys.stderr.flush()
