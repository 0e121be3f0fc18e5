"""The common workers, which do what needs no service of its own on the log (HTTP calls, reading the items of Maps, writing their
results), and the workers of specific blueprints."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import httpx

from sfc.engine.sources import READ, WRITE
from sfc.log import get_logger
from sfc.ports import Log
from sfc.runtime.definitions import Definitions
from sfc.wire.topics import Names
from sfc_workers.http import CONNECTIONS_MAX, HttpTasks
from sfc_workers.item_readers import ItemReaders
from sfc_workers.job import Job
from sfc_workers.result_writers import ResultWriters
from sfc_workers.runner import Runner
from sfc_workers.secrets import Secrets
from sfc_workers.tasks import Handler, TaskError
from sfc_workers.worker import task_name

NO_WORKER = "SFC.NoWorker"

_log = get_logger()


class _WithHttp(Runner):
    """Listens once the definitions are known. ``definitions``: somebody else steps them. ``items_dir``: the folder whose files
    ItemReaders may read; ``results_dir``: the one where ResultWriters may write. Further options: see Runner."""

    def __init__(
        self,
        log: Log,
        names: Names,
        definitions: Definitions,
        *,
        instance: str = "",
        secrets: Secrets | None = None,
        connections_max: int = CONNECTIONS_MAX,
        transport: httpx.AsyncBaseTransport | None = None,
        items_dir: Path | None = None,
        results_dir: Path | None = None,
        items_transport: httpx.BaseTransport | None = None,
        **options: Any,
    ) -> None:
        super().__init__(log, self._handler, secrets=secrets, **options)
        self._reader = ItemReaders(log, names, items_dir, items_transport, secrets).handler
        self._writer = ResultWriters(log, names, results_dir, items_transport, secrets).handler
        self.instance = instance
        self._definitions = definitions
        self._names = names
        self._http = HttpTasks(definitions, secrets, connections_max=connections_max, transport=transport)
        self._listening: set[str] = set()

    def _handler(self, resource: str) -> Handler:
        return self._own(resource) or self._http.handler

    def _own(self, resource: str) -> Handler | None:
        """Of what is no task: reading items, writing results."""
        return self._reader if resource.startswith(READ) else self._writer if resource.startswith(WRITE) else None

    def _topics(self) -> dict[str, str]:
        """Consumer groups by topic."""
        return {self._names.jobs: self._names.workers_group}

    @property
    def ready(self) -> bool:
        return bool(self._listening)

    def step(self, timeout_s: float = 0.1) -> int:
        if self._definitions.ready:
            for topic, group in self._topics().items():
                if topic not in self._listening:
                    self._listening.add(topic)
                    self.listen(topic, group)
        if not self._listening:
            time.sleep(min(timeout_s, 0.01))
            return 0
        return super().step(timeout_s)

    async def before_end(self) -> None:
        await self._http.close()


class CommonWorker(_WithHttp):
    """Takes the jobs of ``sfc.jobs``."""


class SpecificWorker(_WithHttp):
    """Takes all jobs of specific blueprints that no service has a topic for. ``handlers``: of its modules, by task. ``blueprints``: whose
    jobs; None: those of every blueprint that has a specific version, new ones as they come."""

    def __init__(
        self,
        log: Log,
        names: Names,
        handlers: Mapping[str, Handler],
        definitions: Definitions,
        blueprints: Collection[str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(log, names, definitions, **options)
        self._handlers = handlers
        self._blueprints = blueprints
        self._other = Handler(NO_WORKER, self._do_other, True, False)
        self._revision = -1
        self._known: dict[str, str] = {}

    @property
    def ready(self) -> bool:
        return bool(self._listening) or (self._blueprints is None and self._definitions.ready)

    def _topics(self) -> dict[str, str]:
        if self._revision != self._definitions.revision:
            specific = self._definitions.specific()
            blueprints = specific if self._blueprints is None else self._blueprints
            for name in sorted(set(blueprints) - specific) if self._revision < 0 else ():
                _log.warning(
                    f"blueprint {name} has no specific version yet: no jobs come until it has", action="not-specific", blueprint=name
                )
            self._revision = self._definitions.revision
            self._known = {self._names.specific_jobs(name): self._names.specific_group(name) for name in sorted(blueprints)}
        return self._known

    def _handler(self, resource: str) -> Handler:
        return self._own(resource) or self._handlers.get(task_name(resource), self._other)

    async def _do_other(self, job: Job) -> Any:
        """An HTTP call, or nothing that is known here: then the attempt fails, so that neither the job is lost nor the partition stands
        still."""
        if await self._http.section(job.task):
            return await self._http.do(job)
        modules = sorted({handler.function.__module__ for handler in self._handlers.values()})
        tasks = ", ".join(sorted(self._handlers)) or "no task"
        of = f"its modules ({', '.join(modules)}) do {tasks}" if modules else "it has no modules"
        blueprint = job.blueprint.partition("@")[0]
        raise TaskError(
            NO_WORKER, f"the worker of blueprint {blueprint} has no function for {job.task}: {of}; start it with a module that has one"
        )
