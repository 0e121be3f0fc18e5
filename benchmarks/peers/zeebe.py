"""Zeebe's Python worker and client. A flow is done when the broker answers "create with result"."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from load import PAYLOAD, TASKS, arguments, client
from pyzeebe import ZeebeClient, ZeebeWorker, create_insecure_channel

GATEWAY = "127.0.0.1:26500"
MODEL = "http://www.omg.org/spec/BPMN/20100524/MODEL"


def bpmn() -> bytes:
    """Start, three service tasks, end."""
    steps = ["start", *TASKS, "end"]
    nodes = '<startEvent id="start"/><endEvent id="end"/>'
    nodes += "".join(
        f'<serviceTask id="{task}"><extensionElements><z:taskDefinition type="{task}"/></extensionElements></serviceTask>' for task in TASKS
    )
    flows = "".join(f'<sequenceFlow id="to-{b}" sourceRef="{a}" targetRef="{b}"/>' for a, b in pairwise(steps))
    head = f'<definitions xmlns="{MODEL}" xmlns:z="http://camunda.org/schema/zeebe/1.0" targetNamespace="bench">'
    return f'{head}<process id="bench" isExecutable="true">{nodes}{flows}</process></definitions>'.encode()


async def work() -> None:
    worker = ZeebeWorker(create_insecure_channel(GATEWAY), stream_enabled=True)
    for task in TASKS:

        async def echo(order: dict[str, object]) -> dict[str, object]:
            return order

        at_once = {"max_jobs_to_activate": 512, "max_running_jobs": 512}
        worker.task(task, **at_once, variables_to_fetch=["order"], single_value=True, variable_name="order")(echo)
    await worker.work()


async def drive() -> None:
    zeebe = ZeebeClient(create_insecure_channel(GATEWAY))

    async def flow() -> None:
        while True:
            try:
                await zeebe.run_process_with_result("bench", {"order": PAYLOAD}, timeout=60_000)
            except Exception as e:  # it pushes back: that is its answer to too many at once
                if "Back" not in type(e).__name__:
                    raise
                await asyncio.sleep(0.005)
            else:
                return

    await client(flow, a)


async def deploy() -> None:
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        file = Path(folder) / "bench.bpmn"
        file.write_bytes(bpmn())
        await ZeebeClient(create_insecure_channel(GATEWAY)).deploy_resource(file)


a = arguments("deploy", "work", "drive")
asyncio.run({"deploy": deploy, "work": work, "drive": drive}[a.mode]())
