"""Bodies about as large as they may be: what is over the limit is refused with 413 and the limit, and nothing of it is appended."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sfc_gateway.bodies import DOCUMENT_BYTES_MAX, PAYLOAD_BYTES_MAX

from sfc.wire.topics import RECORD_BYTES_MAX


@pytest.mark.parametrize(("size", "status"), [(0.9, 202), (1.0, 202), (1.1, 413), (36.0, 413)])
def test_the_body_of_a_start(gateway: Any, deployed: TestClient, size: float, status: int) -> None:
    body = json.dumps("x" * (int(size * PAYLOAD_BYTES_MAX) - 2))
    answer = deployed.post("/v1/blueprints/orders/flows", content=body)
    assert answer.status_code == status
    if status == 413:
        assert f"{PAYLOAD_BYTES_MAX} bytes at most" in answer.json()["detail"]
        assert gateway.commands == []


@pytest.mark.parametrize(
    ("path", "headers", "said"),
    [
        ("/v1/flows/orders:1/signals/go", {"Idempotency-Key": "k" * 1001}, "the Idempotency-Key takes up to 1000 characters"),
        ("/v1/flows/orders:1/redrive", {"Idempotency-Key": "k" * 1001}, "the Idempotency-Key takes up to 1000 characters"),
        (f"/v1/flows/orders:1/signals/{'g' * 1001}", {}, "the name of a signal takes up to 1000 characters"),
    ],
)
def test_a_text_that_no_engine_takes_is_refused_at_once(
    gateway: Any, deployed: TestClient, path: str, headers: dict[str, str], said: str
) -> None:
    answer = deployed.post(path, json={}, headers=headers)
    assert (answer.status_code, gateway.commands) == (400, [])
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("query", ["flows?version=9223372036854775808", "statistics/throughput?step=999999999999d"])
def test_numbers_that_no_index_takes(deployed: TestClient, query: str) -> None:
    answer = deployed.get(f"/v1/{query}")
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("size", "status"), [(0.9, 200), (1.0, 200), (1.1, 413), (9.0, 413)])
def test_a_definition(gateway: Any, deployed: TestClient, size: float, status: int) -> None:
    frame = json.dumps({"Comment": "", "StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}, "Sfc": {"Name": "orders"}})
    body = frame.replace('"Comment": ""', '"Comment": "%s"' % ("x" * (int(size * DOCUMENT_BYTES_MAX) - len(frame))))
    answer = deployed.put("/v1/blueprints/orders", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code // 100 == status // 100, answer.text[:300]
    assert (answer.status_code == 413) == (status == 413)
    if status == 413:
        assert f"{DOCUMENT_BYTES_MAX} bytes" in answer.json()["detail"]
    assert DOCUMENT_BYTES_MAX < RECORD_BYTES_MAX, "what is taken fits where it is published"
