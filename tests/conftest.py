"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.services import KAFKA, Absent, Service, running


def address_of(service: Service) -> Iterator[str]:
    """The body of a session fixture: the service's address, with the service running as long as the fixture lives."""
    with ExitStack() as stack:
        try:
            address = stack.enter_context(running(service))
        except Absent as absent:
            if absent.fails:
                pytest.fail(str(absent), pytrace=False)
            pytest.skip(str(absent))
        yield address


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap servers of a real Kafka, one for the whole run."""
    yield from address_of(KAFKA)
