"""A caller who leaves in the middle of a request is no failure of the gateway."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from sfc_gateway.bodies import read_body
from sfc_gateway.problems import install


def test_a_caller_who_leaves_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    install(app)

    @app.post("/")
    async def taken(request: Request) -> int:
        return len(await read_body(request, 100, "a body"))

    came: Iterator[dict[str, Any]] = iter([{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(came)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b"", "http_version": "1.1"}
    with caplog.at_level(logging.INFO):
        asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 400
    assert caplog.records == []
