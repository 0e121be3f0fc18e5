"""The pure core has not become dearer: what it executes per command, against the figures that are kept in the repository."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
KNOWN = json.loads((BENCHMARKS / "core.json").read_text())
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
COUNT = "import core, json; print(json.dumps([core.python(), {name: core.count(name) for name in core.MACHINES}]))"
GROWN = 1.10


@pytest.mark.skipif(PYTHON not in KNOWN, reason=f"benchmarks/core.json has no figures for Python {PYTHON}, whose instructions are others")
def test_a_command_costs_the_core_at_most_a_tenth_more_than_what_is_written_down() -> None:
    # In a process of its own: what traces a test run would be counted too.
    done = subprocess.run([sys.executable, "-c", COUNT], cwd=BENCHMARKS, capture_output=True, text=True, timeout=60, check=True)
    python, found = json.loads(done.stdout)
    dearer = {
        f"{machine}, {what}": (KNOWN[python][machine]["all"][what], counts["all"][what])
        for machine, counts in found.items()
        for what in ("instructions", "calls")
        if counts["all"][what] > GROWN * KNOWN[python][machine]["all"][what]
    }
    assert not dearer, (
        f"dearer than before (was, is): {dearer}. Make it cheaper; or say why in the commit, and renew with `make bench-core`"
    )
