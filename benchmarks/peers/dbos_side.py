"""DBOS is a library: client, engine and tasks are one process beside the database. A flow is done when its result is there."""

from __future__ import annotations

import asyncio
import os

from dbos import DBOS, DBOSConfig
from load import PAYLOAD, arguments, client


@DBOS.step()
async def task(order: dict) -> dict:  # type: ignore[type-arg]
    return order


@DBOS.workflow()
async def bench(order: dict) -> dict:  # type: ignore[type-arg]
    for _ in range(3):
        order = await task(order)
    return order


async def deploy() -> None:
    """Nothing to register."""


async def drive() -> None:
    config: DBOSConfig = {
        "name": "bench", "system_database_url": os.environ.get("DBOS_URL", "sqlite:///bench.sqlite"), "log_level": "ERROR",
        "run_admin_server": False, "sys_db_pool_size": 20,
    }  # fmt: skip
    DBOS(config=config)
    DBOS.launch()

    async def flow() -> None:
        handle = await DBOS.start_workflow_async(bench, PAYLOAD)
        await handle.get_result(polling_interval_sec=0.005)

    await client(flow, a)
    DBOS.destroy()


if __name__ == "__main__":
    a = arguments("deploy", "work", "drive")
    asyncio.run({"deploy": deploy, "drive": drive}[a.mode]())
