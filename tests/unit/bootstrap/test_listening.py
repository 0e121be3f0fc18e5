"""Where a gateway may listen, and with which keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfc.adapters.clock import SystemClock
from sfc.bootstrap import start_all
from sfc.bootstrap.gateway import start_gateway
from sfc.bootstrap.site import open_site
from sfc.client import Client
from sfc.errors import BadInput, NotAuthenticated
from sfc.registry import Keys, Registry
from sfc.runtime.roles import Crew
from sfc.settings import Settings, is_loopback, load_settings


def settings(tmp_path: Path, host: str) -> Settings:
    return load_settings(data=tmp_path, host=host, port=0)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"])
def test_loopback_is_known_by_all_its_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.7", "localhost.example", "127.0.0.1.example", "2130706433"])
def test_what_others_reach_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_dev_listens_on_loopback_only(tmp_path: Path, host: str) -> None:
    with pytest.raises(BadInput, match=f"`sfc dev` listens on loopback only, and SFC_HOST is {host}"):
        start_all(settings(tmp_path, host))


def test_a_gateway_beyond_loopback_wants_keys_first(tmp_path: Path) -> None:
    site, crew = open_site(settings(tmp_path, "0.0.0.0")), Crew()
    with pytest.raises(BadInput, match="there are no API keys") as refused:
        start_gateway(site, crew, dev=False)
    assert "sfc keys create NAME --role admin --local" in refused.value.hint
    registry = Registry(site.settings.database_url(), SystemClock())
    key = Keys(registry).create("ops", "admin").key
    registry.close()
    server, closers = start_gateway(site, crew, dev=False)
    try:
        with Client(server.url, api_key=key) as client:
            assert client.keys()[0]["name"] == "ops"
        with Client(server.url) as client, pytest.raises(NotAuthenticated):
            client.cluster()
    finally:
        server.stop()
        crew.stop()
        for close in reversed(closers):
            close()
        site.log.close()
