"""Names and settings of SFC's topics (DESIGN section 3)."""

from __future__ import annotations

from typing import NamedTuple

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
RECORD_BYTES_MAX = 8 * 1024 * 1024

ENGINE_GROUP_SUFFIX = "engine"


class Names(NamedTuple):
    """All names under one namespace."""

    namespace: str = "sfc"

    @property
    def commands(self) -> str:
        return f"{self.namespace}.commands"

    @property
    def state(self) -> str:
        return f"{self.namespace}.state"

    @property
    def history(self) -> str:
        return f"{self.namespace}.history"

    @property
    def definitions(self) -> str:
        return f"{self.namespace}.definitions"

    @property
    def jobs(self) -> str:
        return f"{self.namespace}.jobs"

    @property
    def control(self) -> str:
        return f"{self.namespace}.control"

    @property
    def control_group(self) -> str:
        return f"{self.namespace}.control"

    @property
    def registry_control_group(self) -> str:
        return f"{self.namespace}.control.registry"

    @property
    def replies(self) -> str:
        return f"{self.namespace}.replies"

    @property
    def dead_letters(self) -> str:
        return f"{self.namespace}.dead-letters"

    @property
    def engine_group(self) -> str:
        return f"{self.namespace}.engine"

    @property
    def workers_group(self) -> str:
        return f"{self.namespace}.workers"

    @property
    def monitor_group(self) -> str:
        return f"{self.namespace}.monitor"

    def task(self, task: str) -> str:
        """Job topic of a task that names none; its consumer group has the same name."""
        return f"{self.namespace}.task.{task}"

    def specific_jobs(self, blueprint: str) -> str:
        """Job topic of a specific blueprint, for workers of its own."""
        return f"{self.namespace}.jobs.{blueprint}"

    def specific_group(self, blueprint: str) -> str:
        """Their consumer group."""
        return f"{self.namespace}.workers.{blueprint}"

    @property
    def scheduler_group(self) -> str:
        return f"{self.namespace}.scheduler"

    def is_own(self, topic: str) -> bool:
        """Whether it is a topic of SFC's: nobody else's records belong there, but for ``control`` and workers' answers."""
        core = (self.commands, self.state, self.history, self.definitions, self.jobs, self.control, self.replies, self.dead_letters)
        return topic in core or topic.startswith((f"{self.namespace}.task.", f"{self.namespace}.jobs."))

    def trigger_group(self, blueprint: str, trigger: str) -> str:
        return f"{self.namespace}.trigger.{blueprint}.{trigger}"

    def bridge_group(self, task: str) -> str:
        return f"{self.namespace}.bridge.{task}"

    def transactional_id(self, shard: int) -> str:
        return f"{self.namespace}-{shard}"


def _deleted_after(retention_ms: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(retention_ms), "max.message.bytes": str(RECORD_BYTES_MAX)}


def core_topics(names: Names, shards: int) -> dict[str, tuple[int, dict[str, str]]]:
    """Partitions and settings of the topics that every installation has, by name."""
    compacted = {"cleanup.policy": "compact", "max.message.bytes": str(RECORD_BYTES_MAX)}
    safe = {"unclean.leader.election.enable": "false"}
    return {
        names.commands: (shards, {**_deleted_after(7 * DAY_MS), **safe, "message.timestamp.type": "LogAppendTime"}),
        names.state: (shards, {**compacted, **safe}),
        names.history: (shards, {**_deleted_after(30 * DAY_MS), **safe}),
        names.definitions: (1, {**compacted, **safe}),
        names.jobs: (shards, _deleted_after(8 * DAY_MS)),
        names.control: (shards, {**_deleted_after(7 * DAY_MS), **safe}),
        names.replies: (1, _deleted_after(HOUR_MS)),
        names.dead_letters: (1, _deleted_after(30 * DAY_MS)),
    }


def job_topic(shards: int) -> tuple[int, dict[str, str]]:
    """Partitions and settings of ``sfc.task.<task>``."""
    return shards, _deleted_after(8 * DAY_MS)
