"""The SDK's worker: jobs of the tasks that its modules do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from sfc.ports import Log
from sfc.runtime.definitions import Definitions
from sfc.wire.topics import Names
from sfc_workers.runner import Runner
from sfc_workers.tasks import Handler


def task_name(resource: str) -> str:
    """``order-split`` of ``task:order-split@3``; empty for another kind of resource."""
    kind, _, rest = resource.partition(":")
    return rest.partition("@")[0] if kind == "task" else ""


class Worker(Runner):
    """Takes the jobs of its tasks: from ``sfc.task.<task>``, or from the topic that a task's document names. With ``definitions`` (which
    somebody else steps) it follows their edits; without them it takes the former only. Further options: see Runner."""

    def __init__(
        self,
        log: Log,
        names: Names,
        handlers: Mapping[str, Handler],
        definitions: Definitions | None = None,
        *,
        instance: str = "",
        **options: Any,
    ) -> None:
        by_resource: dict[str, Handler | None] = {}

        def find(resource: str) -> Handler | None:
            if resource not in by_resource:
                by_resource[resource] = handlers.get(task_name(resource))
            return by_resource[resource]

        super().__init__(log, find, **options)
        self.instance = instance
        self._names = names
        self._handlers = handlers
        self._definitions = definitions
        self._revision = -1
        self._listening: set[str] = set()
        self._follow()

    @property
    def ready(self) -> bool:
        return bool(self._listening)

    def step(self, timeout_s: float = 0.1) -> int:
        self._follow()
        if not self._listening:
            time.sleep(min(timeout_s, 0.01))
            return 0
        return super().step(timeout_s)

    def _follow(self) -> None:
        """Joins the groups of topics that are new. None is left: jobs of older versions may still lie there."""
        known = self._definitions
        if known is not None and (not known.ready or known.revision == self._revision):
            return
        if known is None and self._revision == 0:
            return
        self._revision = 0 if known is None else known.revision
        for topic, group in topics_of(self._handlers, self._names.task, known).items():
            if topic not in self._listening:
                self._listening.add(topic)
                self.listen(topic, group)


def topics_of(tasks: Mapping[str, Any], default: Callable[[str], str], definitions: Definitions | None) -> dict[str, str]:
    """Job topics of tasks, all their versions, with their consumer groups."""
    found: dict[str, str] = {}
    for name in tasks:
        versions = [t for t in definitions.tasks() if t.name == name] if definitions is not None else []
        for version in sorted(versions, key=lambda t: t.version):
            kafka: Mapping[str, Any] = version.document.get("Kafka") or {}
            topic = kafka.get("Topic")
            if topic:
                found[topic] = kafka.get("ConsumerGroup") or topic
            else:
                found[default(name)] = default(name)
        if not versions:
            found[default(name)] = default(name)
    return found
