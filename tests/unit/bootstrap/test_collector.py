"""A server's cycle collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from sfc.bootstrap.collector import YOUNG_MAX, spare_collections


@pytest.fixture
def collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("collector")
def test_a_server_looks_seldom_for_cycles_and_never_at_what_it_has_loaded() -> None:
    spare_collections()
    assert gc.get_threshold()[0] == YOUNG_MAX
    assert gc.get_freeze_count() > 1_000
    assert gc.isenabled()
