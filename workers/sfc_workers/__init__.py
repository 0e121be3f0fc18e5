"""Workers: the SDK, the common workers and the examples.

::

    from sfc_workers import Job, TaskError, task

    @task("order-split")
    async def split(job: Job) -> dict:
        if not job.input["items"]:
            raise TaskError("EmptyOrder", "an order without items can't be split")
        return {"parcels": [...]}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfc_workers.job import Job
from sfc_workers.tasks import Handler, TaskError, load_modules, task

if TYPE_CHECKING:
    from sfc_workers.worker import Worker

__all__ = ["Handler", "Job", "TaskError", "Worker", "load_modules", "task"]


def __getattr__(name: str) -> Any:
    """A module of tasks imports this package for its decorator alone; what runs them is loaded when it is asked for."""
    if name == "Worker":
        from sfc_workers.worker import Worker

        return Worker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
