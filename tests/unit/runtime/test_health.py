"""Probes and metrics of the roles without a gateway."""

from __future__ import annotations

import httpx
import pytest

from sfc.errors import BadInput
from sfc.runtime import metrics
from sfc.runtime.health import HealthServer


def test_probes_say_what_their_checks_say() -> None:
    state = {"ready": False}

    def broken() -> bool:
        raise RuntimeError("no lane")

    server = HealthServer(lambda: True, lambda: state["ready"])
    failing = HealthServer(broken, lambda: True)
    try:
        assert server.port > 0
        assert httpx.get(f"{server.url}/livez").status_code == 200
        assert httpx.get(f"{server.url}/readyz").status_code == 503
        state["ready"] = True
        assert httpx.get(f"{server.url}/readyz?verbose").json() == {"status": "ok"}
        assert httpx.get(f"{server.url}/other").status_code == 404
        assert httpx.get(f"{failing.url}/livez").status_code == 503
    finally:
        server.close()
        failing.close()


def test_metrics_are_prometheus_text() -> None:
    metrics.FLOWS_ENDED.labels("b", "SUCCEEDED").inc()
    server = HealthServer(lambda: True, lambda: True)
    try:
        answer = httpx.get(f"{server.url}/metrics")
    finally:
        server.close()
    assert 'sfc_flows_ended_total{blueprint="b",status="SUCCEEDED"}' in answer.text
    assert answer.headers["content-type"].startswith("text/plain")


def test_a_port_that_is_taken_is_said_plainly() -> None:
    first = HealthServer(lambda: True, lambda: True)
    try:
        with pytest.raises(BadInput, match=f"can't listen on 127.0.0.1:{first.port}"):
            HealthServer(lambda: True, lambda: True, port=first.port)
    finally:
        first.close()
