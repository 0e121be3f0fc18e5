"""What the registry's contract is tested with: one database per kind, a clock that stands still, documents as small as they can be."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from sfc.registry import Registry


class StillClock:
    def __init__(self, ms: int = 1_000) -> None:
        self.ms = ms

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


def numbered_ids() -> Callable[[], str]:
    """uid-1, uid-2, …"""
    numbers = count(1)
    return lambda: f"uid-{next(numbers)}"


class Database:
    """An empty database of one kind. ``open`` makes a further registry over it, as another gateway does."""

    def __init__(self, kind: str, url: str, clock: StillClock) -> None:
        self.kind = kind
        self.url = url
        self.clock = clock
        self._open: list[Registry] = []

    def open(self) -> Registry:
        self._open.append(Registry(self.url, self.clock))
        return self._open[-1]

    def close(self) -> None:
        for registry in self._open:
            registry.close()
