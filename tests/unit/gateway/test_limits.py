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
