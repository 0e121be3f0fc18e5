"""Fixtures that all tests share."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


def _load_services() -> ModuleType:
    """tests/ is no package (import mode importlib), so its one helper module is brought in by its place."""
    if "services" not in sys.modules:
        spec = importlib.util.spec_from_file_location("services", Path(__file__).with_name("services.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["services"] = module
        spec.loader.exec_module(module)
    return sys.modules["services"]


services = _load_services()


def _address(service: object) -> Iterator[str]:
    try:
        running = services.running(service)
        address = running.__enter__()
    except services.Absent as absent:
        if absent.fails:
            pytest.fail(str(absent), pytrace=False)
        pytest.skip(str(absent))
    try:
        yield address
    finally:
        running.__exit__(None, None, None)


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap servers of a real Kafka, one for the whole run."""
    yield from _address(services.KAFKA)
