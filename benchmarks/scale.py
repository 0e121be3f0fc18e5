"""What 1,000 flows cost in CPU time with 2, 4 and 8 shards over one and two engines, and on three brokers.

    scale.py [--seconds 6] [--rounds 2] [--brokers 1,3]

It starts brokers of its own. CPU seconds say what a wall clock can't on a machine with few cores: whether the work grows with the number of
shards and processes. Prints a table and writes ``.bench/scale.json``.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from typing import Any

from bench import MANY, write
from rich.console import Console
from rich.table import Table
from system import Broker, Sfc, broker

SHARDS = (2, 4, 8)
ENGINES = (1, 2)


def measured(served: Broker, shards: int, engines: int, seconds: float) -> dict[str, Any]:
    sfc = Sfc(served, shards=shards, engines=engines)
    try:
        found = sfc.measure(MANY, seconds)
    finally:
        sfc.close()
    cpu = found["cpu_s_per_1000"]

    def of(what: str) -> float:
        return round(sum(s for name, s in cpu.items() if name.startswith(what)), 3)

    parts = {what: of(what) for what in ("engine", "worker", "broker")}
    return {"brokers": len(served.pids), "shards": shards, "engines": engines, "flows_per_s": found["flows_per_s"], "cpu": parts}


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--seconds", type=float, default=6.0)
    ap.add_argument("--rounds", type=int, default=2)
    ap.add_argument("--brokers", default="1,3", help="how many at a time")
    a = ap.parse_args()
    console = Console()
    began = time.perf_counter()
    rows: list[dict[str, Any]] = []
    for nodes in map(int, a.brokers.split(",")):
        shard_counts = SHARDS if nodes == 1 else (4,)
        with broker(nodes=nodes) as served:
            for _ in range(2 * nodes):
                measured(served, 4, 1, a.seconds)  # not counted: the brokers' code is compiled while they work
            for _ in range(a.rounds):
                for shards, engines in itertools.product(shard_counts, ENGINES):
                    rows.append(measured(served, shards, engines, a.seconds))
                    console.print(", ".join(f"{name} {value}" for name, value in rows[-1].items()))
    table = Table(title=f"CPU seconds for 1,000 flows, {MANY:,} open, medians of {a.rounds} rounds")
    for column in ("brokers", "shards", "engines", "flows/s", "engine", "worker", "broker"):
        table.add_column(column, justify="right")
    numbers: dict[str, Any] = {}
    for key in dict.fromkeys((row["brokers"], row["shards"], row["engines"]) for row in rows):
        same = [row for row in rows if (row["brokers"], row["shards"], row["engines"]) == key]
        cpu = {what: statistics.median(row["cpu"][what] for row in same) for what in ("engine", "worker", "broker")}
        rate = statistics.median(row["flows_per_s"] for row in same)
        table.add_row(*map(str, key), f"{rate:.0f}", *(f"{s:.3f}" for s in cpu.values()))
        numbers["brokers_{}_shards_{}_engines_{}".format(*key)] = {"flows_per_s": rate, "cpu_s_per_1000": cpu}
    console.print(table)
    one = [found["cpu_s_per_1000"]["engine"] for name, found in numbers.items() if name.startswith("brokers_1_")]
    if one:
        numbers["engine_cpu_spread"] = round(max(one) / min(one) - 1, 3)
        console.print(f"engines on one broker: the dearest takes {numbers['engine_cpu_spread']:.0%} more than the cheapest")
    write(numbers, rows, began, console, "scale")


if __name__ == "__main__":
    main()
