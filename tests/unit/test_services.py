"""How the test run comes by its services, with fakes for docker and the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.services import ELASTICSEARCH, KAFKA, POSTGRESQL, Absent, Service, Way, choose, free_port

ALL = (ELASTICSEARCH, KAFKA, POSTGRESQL)


def _service(*, docker: bool = False, local: bool = False, asked: list[str] | None = None) -> Service:
    def way(name: str, there: bool) -> Way:
        def probe() -> bool:
            if asked is not None:
                asked.append(name)
            return there

        @contextmanager
        def run() -> Iterator[str]:
            yield f"{name}:9092"

        return Way(name, probe, run)

    return Service("Kafka", "SFC_TEST_KAFKA", (way("docker", docker), way("local", local)), "install one")


def _address(service: Service, environment: dict[str, str]) -> str:
    with choose(service, environment).run() as address:
        return address


def test_the_environment_variable_comes_first_and_nothing_is_probed() -> None:
    asked: list[str] = []
    service = _service(docker=True, local=True, asked=asked)
    assert _address(service, {"SFC_TEST_KAFKA": "there:1"}) == "there:1"
    assert asked == []


def test_docker_comes_before_the_local_script() -> None:
    asked: list[str] = []
    assert _address(_service(docker=True, local=True, asked=asked), {}) == "docker:9092"
    assert asked == ["docker"]


def test_the_local_script_is_taken_where_docker_does_not_answer() -> None:
    assert _address(_service(local=True), {"SFC_TEST_KAFKA": ""}) == "local:9092"


@pytest.mark.parametrize(("environment", "fails"), [({"CI": "true"}, True), ({"CI": "1"}, True), ({}, False), ({"CI": "false"}, False)])
def test_a_missing_service_fails_in_ci_and_skips_on_a_laptop(environment: dict[str, str], fails: bool) -> None:
    with pytest.raises(Absent, match=r"no Kafka for this test \(tried SFC_TEST_KAFKA, docker, local\): install one") as absent:
        choose(_service(), environment)
    assert absent.value.fails is fails


def test_a_free_port_leaves_room_for_the_controller() -> None:
    assert 1024 < free_port() < 65536 - 101


@pytest.mark.parametrize("service", ALL, ids=lambda service: service.name)
def test_every_service_is_given_by_its_variable_else_asks_docker_first(service: Service) -> None:
    assert service.variable == f"SFC_TEST_{service.name.upper()}"
    assert _address(service, {service.variable: "there:1"}) == "there:1"
    assert next(way.name for way in service.ways) == "docker"
    assert len(service.ways) == 2, "and where docker does not answer there is another way"
    assert service.variable in service.missing
