"""Memory, rate and latency over a long run: so many flows through one engine, told for each tenth.

    memory.py [--flows 1000000] [--kafka HOST:PORT]

Prints a table and writes ``.bench/memory.json``.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from bench import MANY, write
from rich.console import Console
from rich.table import Table
from system import Sfc, broker


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--flows", type=int, default=1_000_000)
    ap.add_argument("--kafka", default="", help="bootstrap servers; by default a broker is started")
    a = ap.parse_args()
    console = Console()
    began = time.perf_counter()
    with broker(a.kafka) as served:
        sfc = Sfc(served)
        try:
            found = sfc.measure(MANY, 0, flows=a.flows)
        finally:
            sfc.close()
    rows = found["tenths"]
    table = Table(title=f"{a.flows:,} flows through one engine, {MANY:,} open")
    for column in ("tenth", "flows/s", "p50 ms", "p99 ms", "engine's RSS, MiB"):
        table.add_column(column, justify="right")
    for number, row in enumerate(rows, 1):
        table.add_row(str(number), *(str(row[name]) for name in ("flows_per_s", "p50_ms", "p99_ms", "rss_mb")))
    console.print(table)
    numbers: dict[str, Any] = {"flows": a.flows, "flows_per_s": found["flows_per_s"], "cpu_s_per_1000": found["cpu_s_per_1000"]}
    numbers["rss_growth"] = round(rows[-1]["rss_mb"] / rows[0]["rss_mb"] - 1, 3)  # from the end of the first tenth to that of the last
    console.print(f"memory grew by {numbers['rss_growth']:.1%} from the first tenth to the last")
    write(numbers, rows, began, console, "memory")


if __name__ == "__main__":
    main()
