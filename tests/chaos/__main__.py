"""``python -m tests.chaos --minutes 10 --flows 100000``: SFC on three brokers, while brokers and processes die.

Exit code 0: nothing was lost or doubled; 1: something was; 2: there is no way to run it here.
"""

from __future__ import annotations

import argparse
import sys
import time

from rich.console import Console

from tests.chaos.run import Options, Run
from tests.services import Absent


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--minutes", type=float, default=10.0, help="how long faults are made")
    asked.add_argument("--flows", type=int, default=100_000, help="how many flows are started in that time")
    asked.add_argument("--seed", type=int, default=0, help="of the faults' plan and of the flows; 0: the time")
    asked.add_argument("--every", type=float, nargs=2, default=(5.0, 20.0), metavar=("MIN", "MAX"), help="seconds between two faults")
    asked.add_argument("--keep", action="store_true", help="keep all logs, even when nothing is wrong")
    chosen = asked.parse_args()
    options = Options(
        minutes=chosen.minutes, flows=chosen.flows, seed=chosen.seed or int(time.time()), every_s=tuple(chosen.every), keep=chosen.keep
    )
    try:
        run = Run(options, Console())
    except Absent as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    return 1 if run.go().wrong else 0


if __name__ == "__main__":
    sys.exit(main())
