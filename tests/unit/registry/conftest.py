"""A registry in memory, and documents to give it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sfc.registry import Registry


class StillClock:
    def __init__(self) -> None:
        self.ms = 1_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


class Documents:
    """Blueprints and tasks, as small as they can be."""

    @staticmethod
    def task(name: str = "split", **fields: Any) -> tuple[str, dict[str, Any]]:
        return f"{name}.yaml", {"Name": name, **fields}

    @staticmethod
    def blueprint(name: str = "order", resource: str = "task:split", **sfc: Any) -> tuple[str, dict[str, Any]]:
        states = {"Split": {"Type": "Task", "Resource": resource, "End": True}}
        return f"{name}.yaml", {"StartAt": "Split", "States": states, "Sfc": {"Name": name, **sfc}}


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def documents() -> Documents:
    return Documents()


@pytest.fixture
def registry(clock: StillClock) -> Iterator[Registry]:
    ids = iter(f"uid-{n}" for n in range(1, 1000))
    opened = Registry("sqlite://", clock, new_id=lambda: next(ids))
    yield opened
    opened.close()
