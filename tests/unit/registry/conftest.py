"""A registry in memory, and documents to give it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sfc.registry import Registry
from tests.contract.registries import Documents, StillClock, numbered_ids


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def documents() -> Documents:
    return Documents()


@pytest.fixture
def registry(clock: StillClock) -> Iterator[Registry]:
    opened = Registry("sqlite://", clock, new_id=numbered_ids())
    yield opened
    opened.close()
