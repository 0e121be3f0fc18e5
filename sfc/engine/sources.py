"""Where an ItemReader may read: what its Resource, mapped or not, leads to, and what of its ReaderConfig there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sfc.engine.program import Target

SOURCES = "file:PATH, an http(s) URL or topic:NAME"
READ = "read:"  # before the Resource in a job's sfc-task, so that no other job is taken for a reader's
_LATER = {"InputType": ("PARQUET", "MANIFEST"), "Transformation": ("LOAD_AND_FLATTEN",)}

Found = tuple[str, str, str, str]
"""Code, place below the ItemReader, message and hint of a problem."""


def source_target(resource: str, jobs_topic: str) -> Target:
    """Where the job of a reader goes."""
    return Target(f"{READ}{resource}", "reader", jobs_topic)


def source_problem(resource: str, config: Mapping[str, Any]) -> Found | None:
    """Why nothing reads from there, or not so; None where it can be read. ``resource``: after ``Sfc.Resources``."""
    kind, colon, rest = resource.partition(":")
    if not colon or kind not in ("file", "http", "https", "topic") or (kind != "file" and not rest):
        return "unknown-resource", "/Resource", f"nothing is known that reads items from {resource!r}", f"write {SOURCES}, or map it to one"
    for field, words in _LATER.items():
        if config.get(field) in words:
            return "not-yet", f"/ReaderConfig/{field}", f"{config[field]} is not yet supported", "read JSON, JSONL or CSV"
    if kind == "topic" and config.get("InputType") == "CSV":
        return "bad-value", "/ReaderConfig/InputType", "the records of a topic are items: each is JSON", "leave InputType out"
    return None
