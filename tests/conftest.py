"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.services import ELASTICSEARCH, KAFKA, POSTGRESQL, Absent, Service, new_database, new_schema, running


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
def elasticsearch() -> Iterator[str]:
    """URL of a real Elasticsearch, one for the whole run. Data streams can't be deleted everywhere: tests use names of their own."""
    yield from address_of(ELASTICSEARCH)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a real PostgreSQL's own database, one server for the whole run."""
    yield from address_of(POSTGRESQL)


@pytest.fixture(scope="session")
def _postgresql_of_the_run(postgresql_server: str) -> Iterator[str]:
    with new_database(postgresql_server) as url:
        yield url


@pytest.fixture
def postgresql(_postgresql_of_the_run: str) -> Iterator[str]:
    """URL of an empty schema for this test alone."""
    with new_schema(_postgresql_of_the_run) as url:
        yield url


@pytest.fixture
def postgresql_database(postgresql_server: str) -> Iterator[str]:
    """URL of an empty database for this test alone: for tests that take it away."""
    with new_database(postgresql_server) as url:
        yield url
