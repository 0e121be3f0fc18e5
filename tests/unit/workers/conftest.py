"""Fixtures of readers of items and writers of results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sfc_workers import item_readers, places

from tests.unit.workers.item_site import Site


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "PAUSE_S", 0)


@pytest.fixture(params=[None, 1], ids=["whole", "item by item"])
def paged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether one page has all items, or each item is a page."""
    if request.param:
        monkeypatch.setattr(item_readers, "PAGE_ITEMS_MAX", request.param)


@pytest.fixture
def site(tmp_path: Path, no_pauses: None) -> Iterator[Site]:
    folder = tmp_path / "items"
    folder.mkdir()
    made = Site(folder)
    yield made
    made.log.close()
