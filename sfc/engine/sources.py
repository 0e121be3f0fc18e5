"""Where an ItemReader may read and a ResultWriter may write: what their Resources, mapped or not, lead to, and what of their
configurations there is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sfc.engine.program import Target

STORES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "oss": "ossfs", "memory": ""}
"""Object stores by the scheme of their URIs; and the package with the driver of each, which whoever reads there installs."""
PLACES = "file:PATH, an http(s) URL, s3://, gs:// or az://BUCKET/KEY, or topic:NAME"
READ = "read:"  # before the Resource in a job's sfc-task, so that no other job is taken for a reader's
WRITE = "write:"  # the same of a writer's
_LATER = {"InputType": ("PARQUET", "MANIFEST"), "Transformation": ("LOAD_AND_FLATTEN",)}
_S3 = re.compile(r"arn:aws[a-z-]*:states:::s3:(getObject|putObject)").fullmatch
_VERBS = {"reads items from": "getObject", "writes results to": "putObject"}

Found = tuple[str, str, str, str]
"""Code, place below the ItemReader or ResultWriter, message and hint of a problem."""


def source_target(resource: str, jobs_topic: str) -> Target:
    """Where the job of a reader goes."""
    return Target(f"{READ}{_plain(resource)}", "reader", jobs_topic)


def sink_target(resource: str, jobs_topic: str) -> Target:
    """Where the job of a writer goes."""
    return Target(f"{WRITE}{_plain(resource)}", "writer", jobs_topic)


def source_problems(resource: str, config: Mapping[str, Any]) -> list[Found]:
    """Why nothing reads from there, or not so; none where it can be read. ``resource``: after ``Sfc.Resources``."""
    found = _place_problems(resource, "reads items from")
    for field, words in _LATER.items():
        if config.get(field) in words:
            found.append(("not-yet", f"/ReaderConfig/{field}", f"{config[field]} is not yet supported", "read JSON, JSONL or CSV"))
    if resource.startswith("topic:") and config.get("InputType") == "CSV":
        message = "the records of a topic are items: each is JSON"
        found.append(("bad-value", "/ReaderConfig/InputType", message, "leave InputType out"))
    return found


def sink_problems(resource: str, config: Mapping[str, Any]) -> list[Found]:
    """Why nothing writes to there, or not so; none where it can be written. ``resource``: after ``Sfc.Resources``; empty: there is none."""
    if not resource:
        if config.get("Transformation") != "NONE":
            return []
        message = "results that stay in the state have no metadata of their flows"
        hint = "write COMPACT or FLATTEN, or a Resource that the results are written to"
        return [("not-yet", "/WriterConfig/Transformation", message, hint)]
    found = _place_problems(resource, "writes results to")
    if resource.startswith("topic:") and config.get("OutputType") == "JSON":
        found.append(("bad-value", "/WriterConfig/OutputType", "each result is a record of the topic", "write JSONL"))
    return found


def _place_problems(resource: str, does: str) -> list[Found]:
    kind, colon, rest = resource.partition(":")
    if colon and (kind == "file" or kind in STORES or (rest and kind in ("http", "https", "topic"))):
        return []
    if (found := _S3(resource)) and found[1] == _VERBS[does]:
        return []
    return [("unknown-resource", "/Resource", f"nothing is known that {does} {resource!r}", f"write {PLACES}, or map it to one")]


def _plain(resource: str) -> str:
    """The Resource as the workers know it: the names of Step Functions for S3 are S3 itself, with Bucket and Key as parameters."""
    return "s3:" if _S3(resource) else resource
