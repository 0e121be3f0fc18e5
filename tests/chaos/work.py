"""The tasks of the chaos run's flows. What they answer depends on the job alone. Each process appends ``<token> <outcome>`` for every job
to a file of its own in the folder that SFC_LEDGER names, before it answers."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from sfc_workers import Job, TaskError, task

SUCCEEDED = "SUCCEEDED"


def open_ledger() -> int:
    """A file descriptor to append to."""
    name = f"{os.environ.get('SFC_INSTANCE', 'nobody')}.{os.getpid()}.{time.time_ns()}"
    return os.open(Path(os.environ["SFC_LEDGER"]) / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


_ledger: list[int] = []


def tell(token: str, outcome: str) -> None:
    """One write for one line: a kill can cut off the last one only."""
    if not _ledger:
        _ledger.append(open_ledger())
    os.write(_ledger[0], f"{token} {outcome}\n".encode())


@task("pack", blocking=False)
def pack(job: Job) -> dict[str, Any]:
    tell(job.token, SUCCEEDED)
    return {"packed": job.input["id"]}


@task("weigh", blocking=False)
def weigh(job: Job) -> dict[str, Any]:
    """Fails as often as the input says, or for good."""
    if job.input.get("broken"):
        tell(job.token, "Broken")
        raise TaskError("Broken", "the parcel can't be weighed")
    if job.attempt <= job.input.get("fails", 0):
        tell(job.token, "Scale")
        raise TaskError("Scale", "the scale is being adjusted")
    tell(job.token, SUCCEEDED)
    return {"grams": len(job.input["id"])}


@task("fetch")
async def fetch(job: Job) -> dict[str, Any]:
    await asyncio.sleep(0.2)
    tell(job.token, SUCCEEDED)
    return {"fetched": job.input["id"]}


@task("seal", blocking=False)
def seal(job: Job) -> dict[str, Any]:
    tell(job.token, SUCCEEDED)
    return {"sealed": job.input["id"]}
