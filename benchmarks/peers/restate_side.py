"""Restate's Python service and an HTTP client. A flow is done when the ingress answers the call.

No ``from __future__ import annotations`` here: the SDK reads them.
"""

import asyncio
import json
import uuid

import aiohttp
import hypercorn.asyncio
import restate
from hypercorn.config import Config
from load import PAYLOAD, TASKS, arguments, client

INGRESS, ADMIN, SERVICE = "http://127.0.0.1:8080", "http://127.0.0.1:9070", "127.0.0.1:9080"


async def deploy() -> None:
    """Registers the service, which must run by then."""
    service = {"uri": f"http://{SERVICE}", "force": True}
    async with aiohttp.ClientSession() as http, http.post(f"{ADMIN}/deployments", json=service) as answer:
        if answer.status >= 300:
            raise SystemExit(await answer.text())


async def work() -> None:
    bench = restate.Service("bench")

    @bench.handler()
    async def run(ctx: restate.Context, order: dict) -> dict:  # type: ignore[type-arg]
        for task in TASKS:
            order = await ctx.run(task, lambda order=order: order)
        return order

    config = Config()
    config.bind = [SERVICE]
    config.h2_max_concurrent_streams = 2_000_000
    config.keep_alive_max_requests = 2_000_000
    await hypercorn.asyncio.serve(restate.app([bench]), config)


async def drive() -> None:
    body = json.dumps(PAYLOAD).encode()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def flow() -> None:
            head = {"content-type": "application/json", "idempotency-key": uuid.uuid4().hex}
            async with http.post(f"{INGRESS}/bench/run", data=body, headers=head) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()

        await client(flow, a)


a = arguments("deploy", "work", "drive")
asyncio.run({"deploy": deploy, "work": work, "drive": drive}[a.mode]())
