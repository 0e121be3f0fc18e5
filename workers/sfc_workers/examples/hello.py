"""The worker of the blueprint ``hello``."""

from __future__ import annotations

from typing import Any

from sfc_workers import Job, task


@task("hello", blocking=False)
def hello(job: Job) -> dict[str, Any]:
    name = job.input.get("name") if isinstance(job.input, dict) else None
    return {"greeting": f"Hello, {name or 'world'}!"}
