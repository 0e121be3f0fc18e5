"""Workers and client of Conductor (conductor-oss) over its HTTP API. A flow is done when a poll sees it completed."""

from __future__ import annotations

import asyncio

import aiohttp
from load import PAYLOAD, TASKS, arguments, client

API = "http://127.0.0.1:8080/api"
BATCH = 100
POLLS_S = 0.02  # how often the client asks for its flow


def session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


async def deploy() -> None:
    tasks = [
        {"name": task, "ownerEmail": "bench@example.com", "retryCount": 0, "timeoutSeconds": 120, "responseTimeoutSeconds": 60}
        for task in TASKS
    ]
    order = {"order": "${workflow.input.order}"}
    steps = [{"name": task, "taskReferenceName": task, "type": "SIMPLE", "inputParameters": order} for task in TASKS]
    flow = {
        "name": "bench", "version": 1, "tasks": steps, "schemaVersion": 2, "ownerEmail": "bench@example.com", "timeoutSeconds": 0,
        "timeoutPolicy": "ALERT_ONLY",
    }  # fmt: skip
    async with session() as http:
        for url, body in (("taskdefs", tasks), ("workflow", flow)):
            async with http.post(f"{API}/metadata/{url}", json=body) as answer:
                if answer.status not in {200, 204, 409}:
                    raise SystemExit(await answer.text())


async def work() -> None:
    async with session() as http:

        async def one(task: str) -> None:
            while True:
                async with http.get(f"{API}/tasks/poll/batch/{task}", params={"count": BATCH, "timeout": 100, "workerid": "w"}) as answer:
                    jobs = await answer.json() if answer.status == 200 else []
                await asyncio.gather(*(done(job) for job in jobs or ()))

        async def done(job: dict) -> None:  # type: ignore[type-arg]
            said = {"workflowInstanceId": job["workflowInstanceId"], "taskId": job["taskId"], "status": "COMPLETED"}
            async with http.post(f"{API}/tasks", json={**said, "workerId": "w", "outputData": job["inputData"]}) as answer:
                await answer.read()

        await asyncio.gather(*(one(task) for task in TASKS for _ in range(2)))


async def drive() -> None:
    async with session() as http:

        async def flow() -> None:
            async with http.post(f"{API}/workflow", json={"name": "bench", "version": 1, "input": {"order": PAYLOAD}}) as answer:
                assert answer.status == 200, await answer.text()
                flow_id = (await answer.text()).strip('"')
            while True:
                async with http.get(f"{API}/workflow/{flow_id}/status") as answer:
                    status = (await answer.json())["status"] if answer.status == 200 else "RUNNING"
                if status == "COMPLETED":
                    return
                assert status == "RUNNING", status
                await asyncio.sleep(POLLS_S if max(a.open) > 1 else 0.002)

        await client(flow, a)


a = arguments("deploy", "work", "drive")
asyncio.run({"deploy": deploy, "work": work, "drive": drive}[a.mode]())
