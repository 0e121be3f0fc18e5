"""What a flow costs beside the floor: both on one broker, alternating, medians of three rounds.

    bench.py [--kafka HOST:PORT] [--rounds 3] [--seconds 6]

Without ``--kafka`` it starts a broker of its own. Prints a table and writes ``.bench/latest.json``. Both sides are three processes (engine,
worker, client) with four shards and the same 3-task flow and payload; SFC's are ``sfc engine`` and ``sfc worker``. Measured are one flow
at a time, 1,000 flows open, half of the rate that each side had with those, and SFC with exactly-once tasks.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from system import ROOT, Broker, Sfc, broker, run_floor

MANY = 1_000
Said = Callable[[str], None]
Round = dict[str, dict[str, Any]]


def one_round(served: Broker, seconds: float, say: Said) -> Round:
    """SFC's processes are new for each kind of load but half of the maximum: as the floor's, they hold no leftovers of another."""
    found: Round = {}
    say("the floor, one flow at a time")
    found["floor_alone"] = run_floor(served, 1, seconds)
    say("SFC, one flow at a time")
    found["flow_alone"] = _measured(Sfc(served), lambda sfc: [sfc.measure(1, seconds)])[0]
    say(f"the floor, {MANY:,} open")
    found["floor_many"] = run_floor(served, MANY, seconds)
    say(f"SFC, {MANY:,} open, then half of that rate")
    found["flow_many"], found["flow_half"] = _measured(Sfc(served), lambda sfc: _many_and_half(sfc, seconds))
    say("the floor, half of its rate")
    found["floor_half"] = run_floor(served, MANY, seconds, found["floor_many"]["flows_per_s"] / 2)
    say("SFC, exactly-once tasks")
    once = _measured(Sfc(served, delivery="exactly-once"), lambda sfc: [sfc.measure(1, seconds), sfc.measure(MANY, seconds)])
    found["once_alone"], found["once_many"] = once
    return found


def _many_and_half(sfc: Sfc, seconds: float) -> list[dict[str, Any]]:
    many = sfc.measure(MANY, seconds)
    return [many, sfc.measure(MANY, seconds, many["flows_per_s"] / 2)]


def _measured(sfc: Sfc, measure: Callable[[Sfc], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    try:
        return measure(sfc)
    finally:
        sfc.close()


def summary(results: list[Round]) -> dict[str, Any]:
    def median(part: str, what: str) -> float:
        return round(statistics.median(r[part][what] for r in results), 2)

    def cpu(part: str) -> dict[str, float]:
        """By process, in s for 1,000 flows; ``all``: their sum."""
        found = {name: statistics.median(r[part]["cpu_s_per_1000"][name] for r in results) for name in results[0][part]["cpu_s_per_1000"]}
        return {name: round(s, 3) for name, s in {**found, "all": sum(found.values())}.items()}

    numbers: dict[str, Any] = {
        f"{side}_{what}": median(f"{side}_alone", what) for what in ("p50_ms", "p99_ms") for side in ("floor", "flow")
    }
    numbers |= {f"{side}_flows_per_s": median(f"{side}_many", "flows_per_s") for side in ("floor", "flow")}
    numbers["p50_ratio"] = round(numbers["flow_p50_ms"] / numbers["floor_p50_ms"], 2)
    numbers["rate_ratio"] = round(numbers["flow_flows_per_s"] / numbers["floor_flows_per_s"], 3)
    numbers |= {
        f"{side}_half_{what}": median(f"{side}_half", what) for what in ("flows_per_s", "p50_ms", "p99_ms") for side in ("floor", "flow")
    }
    numbers |= {f"exactly_once_{what}": median("once_alone", what) for what in ("p50_ms", "p99_ms")}
    numbers["exactly_once_flows_per_s"] = median("once_many", "flows_per_s")
    numbers |= {f"{side}_cpu_s_per_1000": cpu(f"{side}_many") for side in ("floor", "flow")}
    return numbers


def table_of(numbers: dict[str, Any], rounds: int) -> Table:
    table = Table(title=f"SFC beside the floor, medians of {rounds} rounds")
    for column in ("", "floor", "SFC", "ratio"):
        table.add_column(column, justify="left" if not column else "right")

    def row(text: str, floor: str, flow: str, ratio: object = "") -> None:
        table.add_row(text, floor, flow, str(ratio))

    def both(what: str) -> tuple[str, str]:
        return f"{numbers[f'floor_{what}']} ms", f"{numbers[f'flow_{what}']} ms"

    row("p50, one flow at a time", *both("p50_ms"), numbers["p50_ratio"])
    row("p99, one flow at a time", *both("p99_ms"))
    row("flows/s, 1,000 open", f"{numbers['floor_flows_per_s']:.0f}", f"{numbers['flow_flows_per_s']:.0f}", numbers["rate_ratio"])
    row("flows/s, half of that", f"{numbers['floor_half_flows_per_s']:.0f}", f"{numbers['flow_half_flows_per_s']:.0f}")
    row("p50 there", *both("half_p50_ms"))
    row("p99 there", *both("half_p99_ms"))
    row("exactly-once tasks: p50, one flow at a time", "", f"{numbers['exactly_once_p50_ms']} ms")
    row("exactly-once tasks: flows/s, 1,000 open", "", f"{numbers['exactly_once_flows_per_s']:.0f}")
    floor, flow = numbers["floor_cpu_s_per_1000"], numbers["flow_cpu_s_per_1000"]
    for name in flow:
        ratio = round(floor[name] / flow[name], 2) if flow[name] else ""
        row(f"CPU s for 1,000 flows, 1,000 open: {name}", str(floor[name]), str(flow[name]), ratio)
    return table


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--kafka", default="", help="bootstrap servers; by default a broker is started")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--seconds", type=float, default=6.0)
    a = ap.parse_args()
    console = Console()
    began = time.perf_counter()
    results: list[Round] = []
    with (
        broker(a.kafka) as served,
        Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True) as progress,
    ):
        task = progress.add_task("warming")
        run_floor(served, MANY, 2.0)  # the broker's own code is compiled while it works: the first load would pay for all
        for number in range(a.rounds):
            prefix = f"round {number + 1} of {a.rounds}: "
            results.append(one_round(served, a.seconds, lambda text, prefix=prefix: progress.update(task, description=prefix + text)))
    numbers = summary(results)
    console.print(table_of(numbers, a.rounds))
    write(numbers, results, began, console)


def write(numbers: dict[str, Any], results: list[Any], began: float, console: Console, name: str = "latest") -> None:
    out = ROOT / ".bench" / f"{name}.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({**numbers, "rounds": results, "seconds": round(time.perf_counter() - began, 1)}, indent=2) + "\n")
    console.print(f"written to {out.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
