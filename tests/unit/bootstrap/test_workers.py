"""Which workers a process has, and from which topics they take jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from sfc.bootstrap import Site, open_site
from sfc.bootstrap.roles import add_workers
from sfc.errors import BadInput
from sfc.runtime.definitions import Definitions
from sfc.runtime.roles import Crew, Role
from sfc.settings import Settings, unknown_names

MODULE = "sfc_workers.examples.hello"


class Roles(dict[str, Role]):
    """Takes the part of a crew whose roles nobody steps."""

    def add(self, name: str, make: Callable[[], Role]) -> None:
        self[name] = make()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = open_site(Settings(data=tmp_path, worker_jobs_max=7), memory=True)
    yield site
    site.log.close()


@pytest.fixture
def definitions(site: Site) -> Iterator[Definitions]:
    definitions = site.definitions()
    definitions.load()
    yield definitions
    definitions.close()


@pytest.mark.parametrize(
    ("modules", "options", "roles", "topics"),
    [
        ([MODULE], {"common": True}, {"worker", "common"}, {"sfc.task.hello"}),
        ([MODULE], {"common": False}, {"worker"}, {"sfc.task.hello"}),
        ([], {"common": True}, {"common"}, set()),
        ([MODULE], {"common": False, "blueprints": ["shop"]}, {"specific"}, {"sfc.jobs.shop"}),
        ([], {"common": False, "blueprints": ["a", "b"]}, {"specific"}, {"sfc.jobs.a", "sfc.jobs.b"}),
        ([MODULE], {"common": True, "blueprints": ["shop"]}, {"worker", "common", "specific"}, {"sfc.task.hello", "sfc.jobs.shop"}),
        ([MODULE], {"common": True, "blueprints": None}, {"worker", "common", "specific"}, {"sfc.task.hello"}),
    ],
)
def test_a_process_has_the_workers_that_are_asked_for_and_their_topics(
    site: Site, definitions: Definitions, modules: Sequence[str], options: dict[str, Any], roles: set[str], topics: set[str]
) -> None:
    before, made = set(site.log.topics()), Roles()
    add_workers(site, cast("Crew", made), definitions, modules, **options)
    assert set(made) == roles
    assert set(site.log.topics()) - before == topics
    for role in made.values():
        role.step(0.01)
        assert role.ready
        assert role._in_flight_max == 7  # type: ignore[attr-defined]
        role.close()


def test_a_blueprint_that_can_t_be_is_refused_before_it_gets_a_topic(site: Site, definitions: Definitions) -> None:
    with pytest.raises(BadInput, match=r"'My Shop'.*lower-case"):
        add_workers(site, cast("Crew", Roles()), definitions, [], common=False, blueprints=["My Shop"])
    assert not [topic for topic in site.log.topics() if "Shop" in topic]


def test_secrets_are_no_settings_and_their_directory_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unknown_names({"SFC_SECRET_SHOP_KEY": "x", "SFC_SECRETS_DIR": "/run/secrets"}) == []
    assert Settings(secrets_dir=Path("/run/secrets")).masked()["secrets_dir"] == "/run/secrets"
