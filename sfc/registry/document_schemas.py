"""JSON Schemas of blueprints and tasks, for editors. Written from the fields that the checks go by, and never stricter than these."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from sfc.asl.schema import machine_schema
from sfc.registry.blueprint_document import FIELDS as SFC_FIELDS
from sfc.registry.blueprint_document import TRIGGER_FIELDS
from sfc.registry.http_document import FIELDS as HTTP_FIELDS
from sfc.registry.schedule_document import CATCH_UPS
from sfc.registry.task_document import FIELDS as TASK_FIELDS
from sfc.registry.task_document import NOT_YET
from sfc.wire.http_call import METHODS, REDIRECTS, RESULTS
from sfc.wire.scale import REPLICAS_MAX

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
NAMES = ("blueprint", "task")

_NAME: Schema = {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"}
_TOPIC: Schema = {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,249}$"}
_TEXT: Schema = {"type": "string", "minLength": 1}
_SECONDS: Schema = {"type": "integer", "minimum": 1, "maximum": 99_999_999}
_STATUSES: Schema = {"type": "array", "items": {"type": ["integer", "string"]}, "description": "Statuses (404) and classes (4xx)."}


def _told(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def _object(fields: Iterable[str], known: dict[str, Schema], required: Iterable[str] = ()) -> Schema:
    """Raises KeyError for a field that the checks know and this page does not: a test sees it."""
    made: Schema = {"type": "object", "properties": {field: known[field] for field in fields}, "additionalProperties": False}
    return {**made, "required": list(required)} if required else made


_SCALE = _told(
    _object(
        ("Min", "Max", "LagPerReplica", "Module"),
        {
            "Min": _told({"type": "integer", "minimum": 0, "maximum": REPLICAS_MAX}, "Workers that are always there; 0 unless given."),
            "Max": _told({"type": "integer", "minimum": 1, "maximum": REPLICAS_MAX}, "Workers at most."),
            "LagPerReplica": _told({"type": "integer", "minimum": 1}, "One more worker for each so many jobs; 100 unless given."),
            "Module": _told(_TEXT, "The Python module that does the work."),
        },
    ),
    "How many workers sfc scheduler runs.",
)
_TRIGGER = {
    "Id": _told(_NAME, "The name of the trigger, of its own within the blueprint."),
    "Topic": _told(_TOPIC, "The topic whose records start flows."),
    "FlowId": _told(_TEXT, "A path into the record that gives the flow's id: $.order_id."),
    "When": _told(_TEXT, "A condition that records must meet: $.channel == 'tmall'."),
    "From": _told(_TEXT, "Where a new trigger begins: latest, earliest, or a time with its zone."),
    "Schedule": _told(_TEXT, "Cron: minute, hour, day of month, month, day of week."),
    "TimeZone": _told(_TEXT, "A name of the IANA list: Asia/Shanghai; UTC unless given."),
    "Input": _told({}, "The input of a flow that the schedule starts."),
    "CatchUp": _told({"enum": list(CATCH_UPS)}, "What becomes of ticks that were missed; skip unless given."),
}
_SFC = {
    "Name": _told(_NAME, "The name of the blueprint: lower-case letters, digits, hyphens."),
    "Group": _told(_NAME, "A business line; what belongs to it is listed, paused and stopped together."),
    "MessageType": _told({"enum": ["common", "specific"]}, "specific: jobs go to workers of the blueprint's own."),
    "Triggers": _told({"type": "array", "items": {"$ref": "#/$defs/trigger"}}, "What starts flows: topics and schedules."),
    "Input": _told({"type": ["object", "boolean"]}, "A JSON Schema of the input."),
    "Retention": _told(
        _object(
            ("Failed", "Ids"),
            {
                "Failed": _told({"type": "string", "pattern": "^P"}, "How long failed flows are kept: P14D."),
                "Ids": _told({"type": "string", "pattern": "^P"}, "How long ids of flows that succeeded are remembered: P1D."),
            },
        ),
        "How long flows are kept (ISO 8601).",
    ),
    "Resources": _told({"type": "object", "additionalProperties": _TEXT}, "From a Resource of another kind to task:, topic:, …"),
    "Scale": _SCALE,
}
_HTTP = {
    "Url": _told(_TEXT, "With {$.path} for values of the input, and ${secret:NAME}."),
    "Method": _told({"enum": list(METHODS)}, "POST unless given."),
    "Headers": _told({"type": "object"}, "Texts; a name that ends in .$ holds a path or a function."),
    "Query": _told({"type": "object"}, "Texts, numbers, true, false and lists; a name that ends in .$ holds a path or a function."),
    "Body": _told({}, "A template like Parameters; null for none; the input unless given."),
    "Body.$": _told(_TEXT, "The path of the body in the input."),
    "Auth": _told(
        {
            "oneOf": [
                _object(("Bearer",), {"Bearer": _TEXT}, ["Bearer"]),
                _object(
                    ("Basic",),
                    {"Basic": _object(("User", "Password"), {"User": _TEXT, "Password": _TEXT}, ["User", "Password"])},
                    ["Basic"],
                ),
            ]
        },
        "{Bearer: ${secret:NAME}} or {Basic: {User, Password}}; ${credentials} is what the state's Credentials name.",
    ),
    "Success": _told(
        {"anyOf": [_STATUSES, _object(("Status", "When"), {"Status": _STATUSES, "When": _TEXT})]},
        "What counts as done; [2xx] unless given.",
    ),
    "RetryOn": _told(_STATUSES, "Statuses that are tried again within the attempt."),
    "Error": _told(
        {
            "anyOf": [
                {"type": "object", "additionalProperties": _TEXT},
                {
                    "type": "array",
                    "items": _object(("Status", "When", "Error"), {"Status": _STATUSES, "When": _TEXT, "Error": _TEXT}, ["Error"]),
                },
            ]
        },
        "How a failure is called: {404: OrderUnknown}, or rules.",
    ),
    "Result": _told({"enum": list(RESULTS)}, "body unless given; response: status, headers and body."),
    "Redirects": _told({"enum": list(REDIRECTS)}, "same-host unless given."),
    "ConnectTimeoutSeconds": _told(_SECONDS, "10 unless given."),
    "TimeoutSeconds": _told(_SECONDS, "Of one try; up to the job's deadline unless given."),
}
_KAFKA = {
    "Topic": _told(_TOPIC, "The existing topic that the service reads."),
    "ConsumerGroup": _told(_TEXT, "The service's consumer group: its lag is watched."),
    "ReplyTopic": _told(_TOPIC, "The topic that the service answers on."),
    "Correlate": _told(
        {"anyOf": [{"const": "Key"}, _object(("Header",), {"Header": _TEXT}, ["Header"])]},
        "How a reply finds its flow: {Header: sfc-job} or Key.",
    ),
}
_TASK = {
    "Name": _told(_NAME, "The name of the task: lower-case letters, digits, hyphens."),
    "Comment": _told({"type": "string"}, "For people."),
    "Kafka": _told(_object(tuple(_KAFKA), _KAFKA, ["Topic"]), "The work is done by a service that reads this topic."),
    "Http": _told(_object(HTTP_FIELDS, _HTTP, ["Url"]), "The work is a call that the common workers make."),
    "TimeoutSeconds": _told(_SECONDS, "The timeout of states that give none."),
    "HeartbeatSeconds": _told(_SECONDS, "The longest silence, of states that give none; less than TimeoutSeconds."),
    "Retry": _told({"type": "array", "items": {"$ref": "#/$defs/retrier"}}, "The Retry of states that give none."),
    "Delivery": _told({"enum": ["exactly-once", "at-least-once"]}, "Whether jobs are written in the transaction."),
    "Scale": _SCALE,
}


def document_schema(name: Literal["blueprint", "task"]) -> Schema:
    """The schema of blueprints or of tasks (2020-12)."""
    return _blueprint() if name == "blueprint" else _task()


def _blueprint() -> Schema:
    machine = machine_schema()
    section = _told(_object(SFC_FIELDS, _SFC, ["Name"]), "What SFC adds to the language: a blueprint needs a name to be deployed.")
    trigger = _object(TRIGGER_FIELDS, _TRIGGER, ["Id"])
    trigger["anyOf"] = [{"required": ["Topic"]}, {"required": ["Schedule"]}]
    return {
        "$schema": DIALECT,
        "title": "SFC blueprint",
        **machine,
        "properties": {**machine["properties"], "Sfc": section},
        "$defs": {**machine["$defs"], "trigger": trigger},
    }


def _task() -> Schema:
    """Fields that this release does not know yet are left out."""
    retrier = machine_schema()["$defs"]["retrier"]
    fields = [field for field in TASK_FIELDS if field not in NOT_YET]
    return {"$schema": DIALECT, "title": "SFC task", **_object(fields, _TASK, ["Name"]), "$defs": {"retrier": retrier}}
