"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.services import KAFKA, POSTGRESQL, Absent, Service, new_database, running


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


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a real PostgreSQL's own database, one server for the whole run."""
    yield from address_of(POSTGRESQL)


@pytest.fixture
def postgresql(postgresql_server: str) -> Iterator[str]:
    """URL of an empty database for this test alone."""
    with new_database(postgresql_server) as url:
        yield url
