"""Temporal's Python worker and client. A flow is done when the workflow's result has been fetched (a long poll)."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

from load import PAYLOAD, TASKS, arguments, client
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

SERVER, QUEUE = "127.0.0.1:7233", "bench"
LIMIT = timedelta(seconds=60)


@activity.defn(name=TASKS[0])
async def one(order: dict) -> dict:  # type: ignore[type-arg]
    return order


@activity.defn(name=TASKS[1])
async def two(order: dict) -> dict:  # type: ignore[type-arg]
    return order


@activity.defn(name=TASKS[2])
async def three(order: dict) -> dict:  # type: ignore[type-arg]
    return order


@workflow.defn(name="bench")
class Bench:
    @workflow.run
    async def run(self, order: dict) -> dict:  # type: ignore[type-arg]
        for task in (one, two, three):
            order = await workflow.execute_activity(task, order, start_to_close_timeout=LIMIT)
        return order


async def deploy() -> None:
    await Client.connect(SERVER)


async def work() -> None:
    limits = {"max_concurrent_activities": 512, "max_concurrent_workflow_tasks": 256}
    worker = Worker(
        await Client.connect(SERVER), task_queue=QUEUE, workflows=[Bench], activities=[one, two, three],
        workflow_runner=UnsandboxedWorkflowRunner(), **limits,
    )  # fmt: skip
    await worker.run()


async def drive() -> None:
    temporal = await Client.connect(SERVER)

    async def flow() -> None:
        await temporal.execute_workflow("bench", PAYLOAD, id=uuid.uuid4().hex, task_queue=QUEUE)

    await client(flow, a)


if __name__ == "__main__":
    a = arguments("deploy", "work", "drive")
    asyncio.run({"deploy": deploy, "work": work, "drive": drive}[a.mode]())
