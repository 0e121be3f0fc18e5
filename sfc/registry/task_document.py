"""What may stand in a task document (DESIGN: documents)."""

from __future__ import annotations

from typing import Any

from sfc import asl
from sfc.errors import Problem
from sfc.registry.http_document import check_http
from sfc.registry.scaling import check_scale
from sfc.registry.shapes import Checks, join, shown

FIELDS = (
    "Name", "Comment", "Kafka", "Http", "Grpc", "TimeoutSeconds", "HeartbeatSeconds", "Retry", "Delivery",
    "Concurrency", "RateLimit", "Scale", "Input", "Output",
)  # fmt: skip
NOT_YET = {
    "Grpc": "A gRPC task",
    "Concurrency": "A limit of jobs at work",
    "RateLimit": "A rate limit",
    "Input": "A schema of the input",
    "Output": "A schema of the output",
}


def check_task(document: dict[str, Any]) -> list[Problem]:
    """All that is wrong with a task document."""
    if unwritable := asl.lone_surrogates(document):
        return unwritable
    checks = Checks()
    checks.fields(document, "", FIELDS, ["Name"])
    checks.absent(document, "", NOT_YET)
    if "Name" in document:
        checks.name(document["Name"], "/Name")
    if "Comment" in document and not isinstance(document["Comment"], str):
        checks.text(document["Comment"], "/Comment")
    if "Kafka" in document and "Http" in document:
        checks.add("one-of", "/Http", "a task has Kafka or Http, not both.", "Leave one of them out.")
    if "Scale" in document and "Http" in document:
        checks.add("one-of", "/Scale", "an HTTP task is done by the common workers: it has no workers of its own.", "Leave Scale out.")
    elif "Scale" in document:
        check_scale(checks, document["Scale"], "/Scale", module_needed=True)
    if "Kafka" in document:
        _kafka(checks, document["Kafka"])
    if "Http" in document:
        check_http(checks, document["Http"], "/Http")
    _times(checks, document)
    if "Delivery" in document:
        checks.one_of(document["Delivery"], "/Delivery", ["exactly-once", "at-least-once"])
    if "Retry" in document:
        checks.problems += _retry(document["Retry"])
    return checks.problems


def _kafka(checks: Checks, value: Any) -> None:
    at = "/Kafka"
    kafka = checks.fields(value, at, ["Topic", "ConsumerGroup", "ReplyTopic", "Correlate"], ["Topic"])
    for field in ("Topic", "ReplyTopic"):
        if field in kafka:
            checks.topic(kafka[field], join(at, field))
    if "ConsumerGroup" in kafka:
        checks.text(kafka["ConsumerGroup"], join(at, "ConsumerGroup"))
    if "ReplyTopic" in kafka and kafka["ReplyTopic"] == kafka.get("Topic"):
        checks.add("same-topic", join(at, "ReplyTopic"), "jobs and replies on one topic would meet each other.", "Name another topic.")
    if "ReplyTopic" in kafka and "Correlate" not in kafka:
        checks.add("missing-field", join(at, "Correlate"), "Correlate is missing: how does a reply find its flow?",
                   "Write Correlate: {Header: sfc-job} where headers come back, or Correlate: Key where only the key does.")  # fmt: skip
    if "Correlate" in kafka:
        _correlate(checks, kafka["Correlate"], join(at, "Correlate"))
        if "ReplyTopic" not in kafka:
            checks.add("missing-field", join(at, "ReplyTopic"), "Correlate is for the replies of a ReplyTopic.", "Add ReplyTopic.")


def _correlate(checks: Checks, value: Any, at: str) -> None:
    if value == "Key":
        return
    if isinstance(value, dict) and "Path" in value:
        checks.not_yet(join(at, "Path"), "Correlation by a path", "Write {Header: sfc-job} or Key.")
    elif isinstance(value, dict) and len(value) == 1 and "Header" in value:
        checks.text(value["Header"], join(at, "Header"))
    else:
        checks.add("wrong-value", at, f"expected {{Header: NAME}} or Key, came {shown(value)}.", "Write {Header: sfc-job}.")


def _times(checks: Checks, document: dict[str, Any]) -> None:
    found = {f: checks.seconds(document[f], f"/{f}") for f in ("TimeoutSeconds", "HeartbeatSeconds") if f in document}
    timeout, heartbeat = found.get("TimeoutSeconds"), found.get("HeartbeatSeconds")
    if timeout and heartbeat and heartbeat >= timeout:
        checks.add("wrong-value", "/HeartbeatSeconds", f"{heartbeat} s of silence would end after the timeout of {timeout} s.",
                   "Write fewer seconds than TimeoutSeconds.")  # fmt: skip


def _retry(retry: Any) -> list[Problem]:
    """Checked as the Retry of a state."""
    place = "/States/Task/Retry"
    task = {"Type": "Task", "Resource": "task:task", "Retry": retry, "End": True}
    found = asl.validate({"StartAt": "Task", "States": {"Task": task}})
    return [p._replace(pointer="/Retry" + p.pointer.removeprefix(place)) for p in found if p.pointer.startswith(place)]
