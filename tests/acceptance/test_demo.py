"""`sfc demo`, as somebody's first command."""

from __future__ import annotations

import re

from tests.acceptance.dev_process import sfc


def test_the_demo_checks_all_its_numbers_within_a_minute() -> None:
    done = sfc("demo", timeout_s=60)
    assert done.code == 0, done.out + done.err
    assert re.search(r"all \d+ checks agree with expected\.json", done.out)
    assert "✗" not in done.out
    assert re.search(r"tmall-order@1 +\d", done.out)  # the table of flows
    assert re.search(r"@2 +Pick +\d+", done.out)  # and the one of states
    assert "dead letters: 1 not-json" in done.out
    assert "where to look next" in done.out
