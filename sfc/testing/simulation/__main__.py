"""``python -m sfc.testing.simulation --seeds 1000 --first 1``: many runs; ends with 1 at the first invariant that is broken."""

from __future__ import annotations

import sys

from sfc.testing.simulation.many import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
