"""A lane's bench, for each test its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.runtime.lane_bench import Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.log.close()
