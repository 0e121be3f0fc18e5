"""Throughput over HTTP, and what a caller is told when the flow index is away."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from sfc.adapters.elasticsearch import ElasticsearchFlowIndex
from sfc.client import Client
from sfc.errors import IndexUnavailable
from sfc.wire.history import HistoryRecord, Summary

URL = "http://127.0.0.1:8321"
BEGIN_MS = 1_769_846_400_000  # 2026-01-31T08:00:00Z


def index(gateway: Any, *ends_ms: int) -> None:
    for n, end_ms in enumerate(ends_ms):
        summary = Summary("orders", 1, "SUCCEEDED", 1, BEGIN_MS + 1_000, end_ms, end_ms)
        gateway.index.index([HistoryRecord(f"orders:{n}", 7, 1, [], summary)], [], {})


def test_throughput_is_given_in_slices(gateway: Any, deployed: TestClient) -> None:
    index(gateway, BEGIN_MS + 2_000, BEGIN_MS + 61_000)
    query = {"from": "2026-01-31T08:00:00Z", "to": str(BEGIN_MS + 120_000), "step": "1m", "blueprint": "orders"}
    answer = deployed.get("/v1/statistics/throughput", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "from_ms": BEGIN_MS,
        "to_ms": BEGIN_MS + 120_000,
        "step_ms": 60_000,
        "slices": [
            {"from_ms": BEGIN_MS, "started": 2, "ended": {"SUCCEEDED": 1}},
            {"from_ms": BEGIN_MS + 60_000, "started": 0, "ended": {"SUCCEEDED": 1}},
        ],
    }


def test_by_default_it_is_the_last_hour(deployed: TestClient, client: Client) -> None:
    answer = client.throughput()
    assert answer["to_ms"] - answer["from_ms"] == 3_600_000
    assert len(answer["slices"]) == 12


@pytest.mark.parametrize(
    "query",
    [{"step": "1 hour"}, {"step": "0s"}, {"from": "yesterday"}, {"from": "5", "to": "4"}, {"from": "0", "to": "9999999", "step": "1ms"}],
)
def test_slices_that_make_no_sense_are_refused(deployed: TestClient, query: dict[str, str]) -> None:
    answer = deployed.get("/v1/statistics/throughput", params=query)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:sfc:problem:bad-input")


def test_a_blueprint_that_is_unknown_is_told(deployed: TestClient) -> None:
    assert deployed.get("/v1/statistics/throughput", params={"blueprint": "none"}).status_code == 404


@pytest.mark.parametrize("path", ["/v1/flows", "/v1/flows/orders:1", "/v1/statistics/throughput", "/v1/dead-letters"])
def test_without_elasticsearch_queries_are_503_with_a_hint(gateway: Any, path: str) -> None:
    away = ElasticsearchFlowIndex("http://127.0.0.1:9", "test")
    with TestClient(gateway.app(index=away), base_url=URL) as http:
        answer = http.get(path)
    away.close()
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:sfc:problem:index-unavailable")
    assert "flows go on" in answer.json()["hint"]
    assert answer.headers["Retry-After"] == "1"


def test_the_client_raises_what_the_gateway_raised(gateway: Any) -> None:
    away = ElasticsearchFlowIndex("http://127.0.0.1:9", "test")
    with TestClient(gateway.app(index=away), base_url=URL) as http, Client(URL, transport=http._transport) as made:
        with pytest.raises(IndexUnavailable) as caught:
            made.flows()
        assert "flows go on" in caught.value.hint
    away.close()
