"""Lists in pages: the same three words everywhere, each entry once, and cursors that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi.testclient import TestClient

from sfc.client import Client
from sfc.engine.events import ExecutionPaused, ExecutionStarted
from sfc.wire.history import HistoryRecord, Summary


@pytest.fixture
def full(gateway: Any, deployed: TestClient) -> TestClient:
    """Five of everything that has pages."""
    for number in range(2, 6):
        machine = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}, "Comment": str(number)}
        assert deployed.put("/v1/blueprints/orders", json=machine).status_code == 201
    for kind, name in (("blueprint", "a"), ("blueprint", "b"), ("task", "a"), ("task", "b"), ("task", "c")):
        assert deployed.put(f"/v1/drafts/{kind}/{name}", json={}).status_code == 200
    events: list[Any] = [ExecutionStarted(1, 7, 1_000, "orders:o-1", "orders", 1, "h", {})]
    events += [ExecutionPaused(seq, 7, 1_000 + seq) for seq in range(2, 6)]
    gateway.index.index([HistoryRecord("orders:o-1", 7, 1, events, Summary("orders", 1, "RUNNING", 5, 1_000, 1_005))], [], {})
    return deployed


PAGED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "/v1/blueprints/orders/versions": ("versions", lambda v: v["version"]),
    "/v1/drafts": ("drafts", lambda d: (d["kind"], d["name"])),
    "/v1/flows/orders:o-1/history": ("events", lambda e: e["seq"]),
}


NO_CURSORS = ["x", ":", "1:", ":1", "-1", "9" * 30, "9" * 5000, "1:x\x00", "blueprint:", "task:A", "²:1", "\ud83d"]


def test_pages_give_each_entry_once_and_in_order(full: TestClient) -> None:
    for path, (member, key) in PAGED.items():
        for limit in (1, 2, 5, 1000):
            seen: list[Any] = []
            cursor, pages = "", 0
            while pages == 0 or cursor:
                answer = full.get(path, params={"limit": limit, "cursor": cursor}).json()
                assert len(answer[member]) <= limit
                seen += [key(one) for one in answer[member]]
                pages, cursor = pages + 1, answer["next_cursor"]
            assert len(seen) == 5, path
            assert seen == sorted(set(seen))
            assert pages == -(-5 // limit)


def test_a_cursor_that_is_none_is_told(full: TestClient) -> None:
    for path in [*PAGED, "/v1/flows", "/v1/dead-letters"]:
        for cursor in NO_CURSORS:
            answer = full.get(f"{path}?cursor={quote(cursor, errors='surrogatepass')}")
            assert answer.status_code == 400, (path, cursor, answer.text)
            assert "give back a page's next_cursor" in answer.json()["detail"]


def test_a_page_has_one_to_a_thousand_entries(full: TestClient) -> None:
    for path in [*PAGED, "/v1/flows", "/v1/dead-letters"]:
        for limit in ("0", "1001", "-1", "many", "9" * 40):
            assert full.get(path, params={"limit": limit}).status_code == 422


def test_a_history_s_pages_stay_with_their_run(gateway: Any, full: TestClient) -> None:
    cursor = full.get("/v1/flows/orders:o-1/history", params={"limit": 3}).json()["next_cursor"]
    later: list[Any] = [ExecutionStarted(1, 8, 2_000, "orders:o-1", "orders", 1, "h", {})]
    gateway.index.index([HistoryRecord("orders:o-1", 8, 1, later, Summary("orders", 1, "RUNNING", 1, 2_000, 2_000))], [], {})
    page = full.get("/v1/flows/orders:o-1/history", params={"cursor": cursor}).json()
    assert [e["seq"] for e in page["events"]] == [4, 5]
    assert [e["seq"] for e in full.get("/v1/flows/orders:o-1/history").json()["events"]] == [1]


def test_the_client_reads_all_pages(full: TestClient) -> None:
    class Short(httpx.BaseTransport):
        """Asks for pages of two."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            request.url = request.url.copy_set_param("limit", "2")
            answer: httpx.Response = full._transport.handle_request(request)
            return answer

    with Client("http://127.0.0.1", transport=Short()) as short:
        assert len(short.drafts()) == 5
        assert [v["version"] for v in short.blueprint_versions("orders")] == [1, 2, 3, 4, 5]
        assert [e["seq"] for e in short.history("orders:o-1")] == [1, 2, 3, 4, 5]
