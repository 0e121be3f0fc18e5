"""LittleHorse's Python worker and client. A flow is done when the event that its last node throws has been awaited."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import littlehorse
from littlehorse.config import LHConfig
from littlehorse.model import (
    AwaitWorkflowEventRequest,
    RunWfRequest,
    WfRunId,
    WorkflowEventDefId,
)
from littlehorse.worker import LHTaskWorker
from littlehorse.workflow import Workflow, WorkflowThread
from load import PAYLOAD, TASKS, arguments, client

ORDER = json.dumps(PAYLOAD)
DONE = "bench-done"


def configuration() -> LHConfig:
    config = LHConfig()
    config.load({"LHC_API_HOST": "127.0.0.1", "LHC_API_PORT": "2023", "LHW_NUM_WORKER_THREADS": "8"})
    return config


async def echo(order: str) -> str:
    return order


def steps(thread: WorkflowThread) -> None:
    order: Any = thread.declare_str("order")
    for task in TASKS:
        order = thread.execute(task, order)
    thread.throw_event(DONE, order, auto_register=True, return_type=str)


async def deploy() -> None:
    config = configuration()
    for task in TASKS:
        littlehorse.create_task_def(echo, task, config)
    await asyncio.sleep(1)
    littlehorse.create_workflow_spec(Workflow("bench", steps), config)


async def work() -> None:
    config = configuration()
    await littlehorse.start(*(LHTaskWorker(echo, task, config) for task in TASKS))


async def drive() -> None:
    config = configuration()
    stub = config.stub(async_channel=True)
    order = littlehorse.to_variable_value(ORDER)

    async def flow() -> None:
        flow_id = uuid.uuid4().hex
        await stub.RunWf(RunWfRequest(id=flow_id, wf_spec_name="bench", variables={"order": order}))
        wanted = [WorkflowEventDefId(name=DONE)]
        await stub.AwaitWorkflowEvent(AwaitWorkflowEventRequest(wf_run_id=WfRunId(id=flow_id), event_def_ids=wanted), timeout=60)

    await client(flow, a)


a = arguments("deploy", "work", "drive")
asyncio.run({"deploy": deploy, "work": work, "drive": drive}[a.mode]())
