"""API keys over HTTP: roles, refusals, and what holds while there are no keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sfc_gateway import access
from sfc_gateway.operations import ROLES

from sfc.adapters.clock import SystemClock
from sfc.client import Client
from sfc.errors import BadInput, NotAllowed, NotAuthenticated, NotPossible, RegistryUnavailable, UnknownName
from sfc.registry import Keys

URL = "http://127.0.0.1"


class Clock(SystemClock):
    """Monotonic time that a test moves on."""

    ahead_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.ahead_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(gateway: Any) -> Keys:
    return Keys(gateway.registry)


@pytest.fixture
def made(keys: Keys) -> dict[str, str]:
    """A key of each role."""
    return {role: keys.create(f"the-{role}", role).key for role in ("viewer", "operator", "editor", "admin")}


@pytest.fixture
def guarded(gateway: Any, made: dict[str, str], clock: Clock) -> Iterator[TestClient]:
    with TestClient(gateway.app(clock=clock), base_url=URL, raise_server_exceptions=False) as http:
        yield http


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def operations(http: TestClient) -> set[str]:
    """The names of all functions that answer requests, included routers' among them."""

    def names(routes: Any) -> Iterator[str]:
        for route in routes:
            inner = getattr(route, "original_router", None)
            if inner is not None:
                yield from names(inner.routes)
            else:
                yield route.endpoint.__name__

    return set(names(http.app.routes)) - {"openapi"}  # type: ignore[attr-defined]


def test_every_operation_has_its_role_and_no_role_is_left_over(http: TestClient) -> None:
    found = operations(http)
    assert "start_flow" in found
    assert found | {"no_topics"} == set(ROLES)


def test_operation_ids_are_those_of_the_roles(http: TestClient) -> None:
    api = http.get("/openapi.json").json()
    ids = [operation["operationId"] for methods in api["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
    assert set(ids) <= set(ROLES)


@pytest.mark.parametrize(
    ("role", "method", "path", "allowed"),
    [
        ("viewer", "GET", "/v1/flows", True),
        ("viewer", "POST", "/v1/blueprints/orders/flows", False),
        ("operator", "POST", "/v1/blueprints/orders/flows", True),
        ("operator", "POST", "/v1/blueprints/orders/pause", True),
        ("operator", "PUT", "/v1/tasks/split", False),
        ("operator", "POST", "/v1/blueprints/orders/retire", False),
        ("editor", "PUT", "/v1/tasks/split", True),
        ("editor", "POST", "/v1/blueprints/orders/rollback", True),
        ("editor", "GET", "/v1/keys", False),
        ("admin", "GET", "/v1/keys", True),
        ("admin", "GET", "/v1/flows", True),
    ],
)
def test_a_role_allows_what_those_before_it_do(
    guarded: TestClient, made: dict[str, str], role: str, method: str, path: str, allowed: bool
) -> None:
    answer = guarded.request(method, path, headers=bearer(made[role]))
    assert (answer.status_code not in (401, 403)) is allowed, answer.text
    if not allowed:
        assert answer.headers["www-authenticate"] == 'Bearer realm="sfc", error="insufficient_scope"'
        assert answer.json()["type"] == "urn:sfc:problem:not-allowed"
        assert f"the key the-{role} has the role {role}" in answer.json()["detail"]


def test_a_request_without_a_key_is_told_how_to_show_one(guarded: TestClient) -> None:
    answer = guarded.get("/v1/flows")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == 'Bearer realm="sfc"'
    assert "SFC_API_KEY" in answer.json()["hint"]


def test_a_refusal_comes_before_any_look_at_the_request(guarded: TestClient) -> None:
    assert guarded.get("/v1/flows", params={"limit": "many"}).status_code == 401


@pytest.mark.parametrize("change", ["secret", "id", "prefix", "scheme", "empty"])
def test_what_is_no_key_is_refused_and_not_shown(guarded: TestClient, made: dict[str, str], change: str) -> None:
    _, id_, secret = made["admin"].split("_", 2)
    _, other, _ = made["viewer"].split("_", 2)
    wrong = {
        "secret": f"Bearer sfc_{id_}_{secret[:-2]}xx",
        "id": f"Bearer sfc_{other}_{secret}",
        "prefix": f"Bearer abc_{id_}_{secret}",
        "scheme": f"Basic sfc_{id_}_{secret}",
        "empty": "Bearer ",
    }[change]
    answer = guarded.get("/v1/flows", headers={"Authorization": wrong})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="sfc", error="invalid_token"'
    assert secret[:-2] not in answer.text


def test_a_revoked_key_ends_within_the_time_of_the_cache(guarded: TestClient, keys: Keys, made: dict[str, str], clock: Clock) -> None:
    assert guarded.get("/v1/flows", headers=bearer(made["viewer"])).status_code == 200
    assert keys.revoke("the-viewer").revoked_ms
    clock.ahead_s = access.FRESH_S + 0.1
    assert guarded.get("/v1/flows", headers=bearer(made["viewer"])).status_code == 401
    assert guarded.get("/v1/flows", headers=bearer(made["admin"])).status_code == 200


def test_a_fresh_view_of_the_keys_costs_no_look_into_the_database(
    gateway: Any, guarded: TestClient, made: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert guarded.get("/livez").status_code == 200
    assert guarded.get("/v1/cluster", headers=bearer(made["viewer"])).status_code == 200

    def broken(*_: Any) -> Any:
        raise RegistryUnavailable("away")

    monkeypatch.setattr(gateway.registry, "read", broken)
    assert guarded.get("/v1/cluster", headers=bearer(made["viewer"])).status_code == 200


def test_keys_hold_good_while_the_database_is_away(
    gateway: Any, guarded: TestClient, made: dict[str, str], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert guarded.get("/v1/cluster", headers=bearer(made["viewer"])).status_code == 200

    def broken(*_: Any) -> Any:
        raise RegistryUnavailable("away")

    monkeypatch.setattr(gateway.registry, "read", broken)
    clock.ahead_s = 60.0
    assert guarded.get("/v1/cluster", headers=bearer(made["viewer"])).status_code == 200
    assert guarded.get("/v1/cluster", headers=bearer("sfc_000000000000_x")).status_code == 401


def test_the_name_in_the_history_is_the_keys_whatever_a_header_claims(gateway: Any, guarded: TestClient, made: dict[str, str]) -> None:
    answer = guarded.post("/v1/flows/orders:o-1/pause", headers={**bearer(made["operator"]), "Sfc-By": "somebody else"})
    assert answer.status_code == 200, answer.text
    assert gateway.commands[-1][1].by == "the-operator"


def test_health_is_told_to_anybody_and_metrics_on_loopback(gateway: Any, made: dict[str, str]) -> None:
    here, proxied = "http://127.0.0.1:8321", "http://sfc.example"
    for local, url, metrics in ((True, here, 200), (True, proxied, 401), (False, here, 401), (False, proxied, 401)):
        with TestClient(gateway.app(local=local), base_url=url) as http:
            answers = [http.get(path).status_code for path in ("/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/v1/flows")]
        assert answers == [200, 200, metrics, 200, 200, 401]


def test_revoking_every_key_opens_nothing(guarded: TestClient, keys: Keys, clock: Clock) -> None:
    for key in keys.all():
        keys.revoke(key.id)
    clock.ahead_s = access.FRESH_S + 0.1
    assert guarded.get("/v1/flows").status_code == 401


def test_the_client_shows_its_key(guarded: TestClient, made: dict[str, str]) -> None:
    with Client(URL, api_key=made["viewer"], transport=guarded._transport) as client:
        assert client.flows()["flows"] == []
        with pytest.raises(NotAllowed, match="needs the role operator") as refused:
            client.start("orders")
        assert "sfc keys create" in refused.value.hint
    with Client(URL, transport=guarded._transport) as client, pytest.raises(NotAuthenticated, match="asks for a key"):
        client.flows()
    for wrong in ("sfc_a_b\n", "‘sfc_a_b’", "sfc_a b"):
        with pytest.raises(BadInput, match="characters that no key has"):
            Client(URL, api_key=wrong)


def test_an_admin_makes_lists_and_revokes_keys(guarded: TestClient, made: dict[str, str], clock: Clock) -> None:
    with Client(URL, api_key=made["admin"], transport=guarded._transport) as client:
        new = client.create_key("ci", "editor")
        clock.ahead_s = access.FRESH_S + 0.1
        with Client(URL, api_key=new["key"], transport=guarded._transport) as ci:
            assert ci.tasks() == []
        listed = client.keys()
        assert [k["name"] for k in listed] == ["ci", "the-admin", "the-editor", "the-operator", "the-viewer"]
        assert "key" not in listed[0]
        assert "hash" not in json.dumps(listed)
        with pytest.raises(NotPossible, match="there is a key ci already"):
            client.create_key("ci", "viewer")
        ended = client.revoke_key("ci")
        assert ended["revoked_ms"]
        assert client.revoke_key(new["id"]) == ended
        assert client.create_key("ci", "viewer")["id"] != new["id"]
        with pytest.raises(UnknownName, match="no key 'c'"):
            client.revoke_key("c")
        for name, role in (("CI", "viewer"), ("x", "owner"), ("", "viewer")):
            with pytest.raises(BadInput):
                client.create_key(name, role)


@pytest.mark.parametrize("body", [b"[]", b'{"name": "x"}', b'{"name": 1, "role": "viewer"}', b'{"name": "x", "role": "viewer", "y": 1}'])
def test_a_new_key_says_what_it_wants(guarded: TestClient, made: dict[str, str], body: bytes) -> None:
    answer = guarded.post("/v1/keys", content=body, headers=bearer(made["admin"]))
    assert answer.status_code == 400
    assert "viewer, operator, editor, admin" in answer.json()["detail"]


def test_the_first_key_is_not_made_over_http(http: TestClient) -> None:
    answer = http.post("/v1/keys", json={"name": "ci", "role": "admin"})
    assert answer.status_code == 409
    assert answer.json()["hint"] == "sfc keys create ci --role admin --local"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8321", "localhost.evil.example", "", "[::1", "10.0.0.7:8321"])
def test_without_keys_another_name_than_this_machines_is_refused(http: TestClient, host: str) -> None:
    answer = http.get("/v1/flows", headers={"Host": host})
    assert answer.status_code == 403
    assert "sfc keys create" in answer.json()["hint"]
    assert http.get("/livez", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8321", "127.0.0.1:8321", "[::1]:8321", "127.1.2.3"])
def test_without_keys_this_machines_names_are_answered(http: TestClient, host: str) -> None:
    assert http.get("/v1/flows", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "", "http://[", "//[::1"])
def test_without_keys_a_page_of_another_site_starts_nothing(gateway: Any, deployed: TestClient, origin: str) -> None:
    answer = deployed.post("/v1/blueprints/orders/flows", headers={"Host": "127.0.0.1:8321", "Origin": origin})
    assert answer.status_code == 403
    assert gateway.commands == []
    answer = deployed.post("/v1/blueprints/orders/flows", headers={"Host": "127.0.0.1:8321", "Origin": "http://127.0.0.1:8321"})
    assert answer.status_code == 202


def test_no_other_site_is_ever_invited(guarded: TestClient, made: dict[str, str]) -> None:
    for method in ("OPTIONS", "GET"):
        asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET", **bearer(made["viewer"])}
        answer = guarded.request(method, "/v1/flows", headers=asked)
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_without_keys_a_gateway_beyond_loopback_answers_nobody(gateway: Any) -> None:
    with TestClient(gateway.app(local=False), base_url=URL) as http:
        assert http.get("/v1/flows").status_code == 401
        assert http.get("/livez").status_code == 200


def test_a_name_that_no_history_should_show_is_refused(http: TestClient) -> None:
    answer = http.post("/v1/flows/orders:o-1/pause", headers={"Sfc-By": "x" * 201})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:sfc:problem:bad-input")


def test_metrics_are_told_to_no_page_of_another_site(http: TestClient, made: dict[str, str]) -> None:
    assert http.get("/metrics").status_code == 200
    for head in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        assert http.get("/metrics", headers=head).status_code == 401
        assert http.get("/metrics", headers={**head, **bearer(made["viewer"])}).status_code == 200


def test_no_key_is_called_as_another_ones_id(guarded: TestClient, made: dict[str, str]) -> None:
    id_ = made["viewer"].split("_")[1]
    answer = guarded.post("/v1/keys", json={"name": id_, "role": "viewer"}, headers=bearer(made["admin"]))
    assert answer.status_code == 409
    assert "id of another key" in answer.json()["detail"]
