"""The benchmark's worker: three tasks that return their input."""

from typing import Any

from sfc_workers import Job, task


@task("bench-one")
async def one(job: Job) -> Any:
    return job.input


@task("bench-two")
async def two(job: Job) -> Any:
    return job.input


@task("bench-three")
async def three(job: Job) -> Any:
    return job.input
