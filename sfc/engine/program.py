"""A blueprint version, compiled and linked to the tasks that it names: what decide runs."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from sfc.asl import Machine

DAY_MS = 86_400_000


class Target(Struct, frozen=True, omit_defaults=True):
    """Where a Task state's jobs go, and how their answers come back. Resolved when the blueprint version is linked."""

    resource: str  # as pinned: task:order-split@3, topic:audit, https://…
    kind: str  # task, topic, http, signal, flow; reader: of a Map's items; writer: of its results
    topic: str  # job topic; empty where no job leaves: a signal or a child flow is awaited
    reply_topic: str = ""  # empty: answers come to sfc.commands
    correlate: str = ""  # of a task with a reply topic: header, key
    correlate_name: str = ""  # the header's name
    exactly_once: bool = False
    timeout_s: int = 0  # the task's default; the state's own wins; 0: none
    heartbeat_s: int = 0
    retry: tuple[Any, ...] = ()  # the task's default retriers (asl.Retrier), when the state has none
    http: Any = None  # the task's Http section, for common workers; None otherwise
    signal: str = ""  # the name that is awaited
    child: str = ""  # the blueprint whose flow is started, with its version and hash
    child_version: int = 0
    child_hash: str = ""


class Program(Struct, frozen=True):
    """``targets``: by the name of a Task state, or of a Map state with an ItemReader. Retentions in milliseconds: how long failed flows,
    and ids of succeeded ones, are kept.

    ``subjects``: what a hold of all its flows names (blueprint, version, group); ``task_of``: what a hold of a Task state's task names.
    """

    name: str
    version: int
    hash: str
    machine: Machine
    targets: dict[str, Target]
    failed_kept_ms: int = 14 * DAY_MS
    ids_kept_ms: int = DAY_MS
    keep_ids: bool = False  # Retention.Ids was asked for
    group: str = ""  # the business line; empty: none
    subjects: tuple[str, ...] = ()
    task_of: dict[str, str] = {}  # by Task state name; states whose target is no task are not in it
    starts_children: bool = False
    spreads: bool = False  # distributed Maps start flows; False: their iterations run within the flow, where there is one flow alone
    writers: dict[str, Target] = {}  # by the name of a Map state with a ResultWriter that writes
