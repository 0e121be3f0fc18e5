"""Links a compiled machine with the tasks that it names: where each Task state's jobs go, and how answers come back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sfc.asl import Machine, MapState, TaskState, retriers
from sfc.engine.program import DAY_MS, Program, Target
from sfc.engine.shard import version_subjects
from sfc.engine.sources import sink_problems, sink_target, source_problems, source_target
from sfc.errors import InvalidDocument, Problem

_PINNED = re.compile(r"task:([a-z0-9][a-z0-9-]{0,62})@([1-9][0-9]*)").fullmatch
_PINNED_CHILD = re.compile(r"blueprint:([a-z0-9][a-z0-9-]{0,62})@([1-9][0-9]*)").fullmatch
_DURATION = re.compile(r"P(?:(\d+)W|(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?)", re.ASCII).fullmatch
_DURATION_MS = (7 * DAY_MS, DAY_MS, 3_600_000, 60_000, 1_000)


def link(
    name: str,
    version: int,
    hash: str,
    machine: Machine,
    document: Mapping[str, Any],
    tasks: Mapping[str, dict[str, Any]],
    *,
    task_topic: Callable[[str], str],
    jobs_topic: str,
    specific_topic: Callable[[str], str],
    blueprints: Mapping[str, str] | None = None,
) -> Program:
    """The program of a blueprint version.

    ``document`` is the whole blueprint with its ``Sfc`` member; ``tasks`` holds task documents by ``NAME@VERSION``,
    ``blueprints`` the content hashes of blueprint versions, by the same. ``task_topic`` names
    the job topic of a task that names none, ``jobs_topic`` is that of the common workers; of a specific blueprint both are the one that
    ``specific_topic`` names. Raises InvalidDocument with every Resource that leads nowhere, and every retention that is no duration.
    """
    sfc = document.get("Sfc") or {}
    if is_specific(document):
        jobs_topic = specific_topic(name)
        task_topic = _always(jobs_topic)
    resources: Mapping[str, Any] = sfc.get("Resources") or {}
    problems: list[Problem] = []
    targets: dict[str, Target] = {}
    writers: dict[str, Target] = {}
    for state in machine.states.values():
        if isinstance(state, MapState) and state.writer is not None:
            sink = str(resources.get(state.writer.resource, state.writer.resource))
            wrong = sink_problems(sink, state.writer.config)
            problems += [Problem(code, f"{state.pointer}/ResultWriter{below}", said, hint) for code, below, said, hint in wrong]
            if sink and not wrong:
                writers[state.name] = sink_target(sink, jobs_topic)
        if isinstance(state, MapState) and state.reader is not None:
            source = str(resources.get(state.reader.resource, state.reader.resource))
            wrong = source_problems(source, state.reader.config)
            problems += [Problem(code, f"{state.pointer}/ItemReader{below}", said, hint) for code, below, said, hint in wrong]
            if not wrong:
                targets[state.name] = source_target(source, jobs_topic)
        if isinstance(state, TaskState):
            found = target_of(str(resources.get(state.resource, state.resource)), tasks, task_topic, jobs_topic, blueprints)
            if isinstance(found, Target):
                targets[state.name] = found
            else:
                problems.append(Problem(found[0], f"{state.pointer}/Resource", found[1], found[2]))
    retention: Mapping[str, Any] = sfc.get("Retention") or {}
    failed_kept_ms = _retention(retention, "Failed", 14 * DAY_MS, problems)
    ids_kept_ms = _retention(retention, "Ids", DAY_MS, problems)
    if problems:
        raise InvalidDocument(f"{name}@{version}", problems)
    group = str(sfc.get("Group") or "")
    return Program(
        name,
        version,
        hash,
        machine,
        targets,
        failed_kept_ms,
        ids_kept_ms,
        "Ids" in retention,
        group,
        (*version_subjects(name, version), *((f"group:{group}",) if group else ())),
        {state: f"task:{pinned[1]}" for state, target in targets.items() if (pinned := _PINNED(target.resource))},
        any(target.child for target in targets.values()) or any(isinstance(s, MapState) and s.distributed for s in machine.states.values()),
        True,
        writers,
    )


def is_specific(document: Mapping[str, Any]) -> bool:
    """Whether a blueprint's jobs go to workers of its own. The document decides it, so that a version's jobs always go the same way."""
    section = document.get("Sfc")
    return isinstance(section, dict) and section.get("MessageType") == "specific"


def _always(topic: str) -> Callable[[str], str]:
    return lambda task: topic


def target_of(
    resource: str,
    tasks: Mapping[str, dict[str, Any]],
    task_topic: Callable[[str], str],
    jobs_topic: str,
    blueprints: Mapping[str, str] | None = None,
) -> Target | tuple[str, str, str]:
    """Where a pinned Resource leads; else the code, message and hint of the problem."""
    kind, _, rest = resource.partition(":")
    if kind in ("http", "https"):
        return Target(resource, "http", jobs_topic, http={"Url": resource})
    if kind == "topic" and rest:
        return Target(resource, "topic", rest, exactly_once=True)
    if kind == "signal" and rest:
        return Target(resource, "signal", "", signal=rest)
    if kind == "blueprint":
        return _child_target(resource, rest, blueprints or {})
    if kind == "task":
        pinned = _PINNED(resource)
        if pinned is None:
            return "unpinned-task", f"{resource!r} names no version of a task", "write task:NAME@VERSION; saving a blueprint pins it"
        task = tasks.get(rest)
        if task is None:
            return "unknown-task", f"the task {rest} is not known", "deploy the task first"
        return _task_target(resource, pinned[1], task, task_topic, jobs_topic)
    return (
        "unknown-resource",
        f"{resource!r} is not something that can be run yet",
        "write task:NAME@VERSION, topic:NAME, blueprint:NAME@VERSION, signal:NAME or an http(s) URL,"
        " or map it to one of these in Sfc.Resources",
    )


def _child_target(resource: str, rest: str, blueprints: Mapping[str, str]) -> Target | tuple[str, str, str]:
    pinned = _PINNED_CHILD(resource)
    if pinned is None:
        hint = "write blueprint:NAME@VERSION; saving a blueprint pins it"
        return "unpinned-blueprint", f"{resource!r} names no version of a blueprint", hint
    hash = blueprints.get(rest)
    if hash is None:
        return "unknown-blueprint", f"the blueprint {rest} is not known", "deploy it first"
    return Target(resource, "flow", "", child=pinned[1], child_version=int(pinned[2]), child_hash=hash)


def _task_target(resource: str, name: str, task: Mapping[str, Any], task_topic: Callable[[str], str], jobs_topic: str) -> Target:
    kafka: Mapping[str, Any] = task.get("Kafka") or {}
    http = task.get("Http")
    correlate: Mapping[str, Any] | str = kafka.get("Correlate") or {}
    how, named = (correlate, "") if isinstance(correlate, str) else next(iter(correlate.items()), ("", ""))
    own_topic = kafka.get("Topic")
    delivery = task.get("Delivery")
    return Target(
        resource=resource,
        kind="http" if http else "task",
        topic=jobs_topic if http else own_topic or task_topic(name),
        reply_topic=kafka.get("ReplyTopic") or "",
        correlate=str(how).lower(),
        correlate_name=named if isinstance(named, str) else "",
        exactly_once=delivery == "exactly-once" if delivery else bool(own_topic),
        timeout_s=task.get("TimeoutSeconds") or 0,
        heartbeat_s=task.get("HeartbeatSeconds") or 0,
        retry=retriers(task.get("Retry") or []),
        http=http,
    )


def _retention(retention: Mapping[str, Any], field: str, default_ms: int, problems: list[Problem]) -> int:
    if field not in retention:
        return default_ms
    found = duration_ms(retention[field])
    if found is None:
        problems.append(
            Problem(
                "bad-duration",
                f"/Sfc/Retention/{field}",
                f"an ISO 8601 duration was expected, {retention[field]!r} came",
                "write for example P14D or PT1H",
            )
        )
        return default_ms
    return found


def duration_ms(text: Any) -> int | None:
    """An ISO 8601 duration of weeks, or of days, hours, minutes and seconds (P14D, PT1H, P1DT12H), in milliseconds; None for any other."""
    found = _DURATION(text) if isinstance(text, str) else None
    if found is None or not any(found.groups()):
        return None
    return sum(int(part) * unit for part, unit in zip(found.groups(), _DURATION_MS, strict=True) if part)
