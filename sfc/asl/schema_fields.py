"""What each field of the language holds and means, as JSON Schema; ``sfc.asl.schema`` puts them together."""

from __future__ import annotations

from typing import Any

from sfc.asl.fields import FIELDS, LANGUAGES
from sfc.asl.policies import RESERVED
from sfc.asl.states import SECONDS_MAX

Schema = dict[str, Any]

SPEC = "https://states-language.net/spec.html"


def told(schema: Schema, description: str, section: str = "") -> Schema:
    return {**schema, "description": f"{description} {SPEC}#{section}" if section else description}


def _or_expression(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"$ref": "#/$defs/expression"}]}


def whole(least: int, most: int = SECONDS_MAX) -> Schema:
    return {"type": "number", "multipleOf": 1, "minimum": least, "maximum": most}


_TEXT: Schema = {"type": "string"}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 80}
PATH: Schema = {"type": "string", "pattern": r"^\$"}
_PATH_OR_NULL: Schema = {"type": ["string", "null"]}
_OBJECT: Schema = {"type": "object"}
_SECONDS = _or_expression(whole(1))

FIELD: dict[str, Schema] = {
    "Type": told({"enum": list(FIELDS)}, "The type of the state.", "statetypes"),
    "Comment": told(_TEXT, "For people."),
    "QueryLanguage": told(
        {"enum": list(LANGUAGES)},
        "JSONPath unless given. A state may be JSONata in a JSONPath machine, not the other way round.",
        "query-language-field",
    ),
    "Next": told(_NAME, "The state that follows.", "transition"),
    "End": told({"type": "boolean"}, "true: the flow, or the branch, ends behind this state.", "transition"),
    "InputPath": told(_PATH_OR_NULL, "The part of the input that the state sees; $ unless given, null for {}.", "inputpath-and-outputpath"),
    "OutputPath": told(_PATH_OR_NULL, "The part of the output that is handed on; $ unless given, null for {}.", "inputpath-and-outputpath"),
    "Parameters": told({}, "What the state works on: names ending in .$ hold paths and functions.", "payload-template"),
    "ResultSelector": told(_OBJECT, "What is made of the result: names ending in .$ hold paths and functions.", "payload-template"),
    "ResultPath": told(
        _PATH_OR_NULL, "Where in the input the result goes; $ unless given: it takes the input's place. null drops it.", "ResultPath"
    ),
    "Assign": told(_OBJECT, "Variables that the states behind can read.", "assign-field"),
    "Output": told({}, "What is handed on: any JSON with {% expressions %}.", "output-field"),
    "Arguments": told({}, "What the state works on: any JSON with {% expressions %}.", "arguments-field"),
    "Retry": told(
        {"type": "array", "items": {"$ref": "#/$defs/retrier"}}, "Which errors are tried again, and when.", "retrying-after-error"
    ),
    "Catch": told({"type": "array", "items": {"$ref": "#/$defs/catcher"}}, "Where errors lead.", "fallback-states"),
    "Resource": told(
        {"type": "string", "minLength": 1},
        "Who does the work: task:NAME, topic:NAME, signal:NAME, blueprint:NAME, https://…, or a URI that Sfc.Resources maps.",
        "task-state",
    ),
    "TimeoutSeconds": told(_SECONDS, "Ends the attempt with States.Timeout; 7 days unless given.", "timeouts-and-heartbeats"),
    "TimeoutSecondsPath": told(PATH, "Where TimeoutSeconds stands in the input.", "timeouts-and-heartbeats"),
    "HeartbeatSeconds": told(_SECONDS, "The longest silence of a worker; less than TimeoutSeconds.", "timeouts-and-heartbeats"),
    "HeartbeatSecondsPath": told(PATH, "Where HeartbeatSeconds stands in the input.", "timeouts-and-heartbeats"),
    "Credentials": told(_or_expression(_OBJECT), "In whose name the work is done.", "task-state"),
    "Branches": told(
        {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/branch"}},
        "Machines that run side by side on the same input.",
        "parallel-state",
    ),
    "Detached": told({"type": "boolean"}, "The flow goes on at once; a Join takes the outputs.", "detached-branches-and-join"),
    "Of": told(_NAME, "The detached Parallel whose branches are awaited.", "detached-branches-and-join"),
    "Until": told(
        {"anyOf": [{"enum": ["All", "Any"]}, whole(1)]}, "How many branches must be done; All unless given.", "detached-branches-and-join"
    ),
    "Result": told({}, "The result as it stands; .$ means nothing in it.", "pass-state"),
    "Seconds": told(_or_expression(whole(0)), "How long to wait.", "wait-state"),
    "SecondsPath": told(PATH, "Where the seconds stand in the input.", "wait-state"),
    "Timestamp": told(_TEXT, "Until when to wait: 2026-03-14T01:59:00Z.", "wait-state"),
    "TimestampPath": told(PATH, "Where the time stands in the input.", "wait-state"),
    "Choices": told(
        {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/rule"}}, "Rules; the first that holds chooses.", "choice-state"
    ),
    "Default": told(_NAME, "The state for what no rule takes; without it such a flow fails.", "choice-state"),
    "Error": told(_TEXT, "The name of the error.", "fail-state"),
    "ErrorPath": told(_TEXT, "Where the error's name stands in the input, or a function.", "fail-state"),
    "Cause": told(_TEXT, "What happened, for people.", "fail-state"),
    "CausePath": told(_TEXT, "Where the cause stands in the input, or a function.", "fail-state"),
    "ItemProcessor": told({"$ref": "#/$defs/processor"}, "The steps for each item.", "map-state"),
    "Iterator": told({"$ref": "#/$defs/processor", "deprecated": True}, "The old name of ItemProcessor.", "map-state"),
    "Items": told(_or_expression({"type": ["array", "object"]}), "The items.", "map-state"),
    "ItemsPath": told(_TEXT, "Where the items stand in the input; $ unless given.", "map-state"),
    "ItemSelector": told({}, "What each iteration gets; $$.Map.Item.Value is the item.", "map-state"),
    "ItemReader": told({"$ref": "#/$defs/reader"}, "Where the items are read; of a distributed Map.", "itemreader"),
    "ItemBatcher": told({"$ref": "#/$defs/batcher"}, "How many items one iteration gets; of a distributed Map.", "itembatcher"),
    "ResultWriter": told({"$ref": "#/$defs/writer"}, "Where the results are written; of a distributed Map.", "resultwriter"),
    "MaxConcurrency": told(_or_expression(whole(0)), "How many iterations run at once; 0 for all.", "map-state"),
    "MaxConcurrencyPath": told(_TEXT, "Where MaxConcurrency stands in the input.", "map-state"),
    "ToleratedFailureCount": told(_or_expression(whole(0)), "How many iterations may fail.", "map-state"),
    "ToleratedFailureCountPath": told(_TEXT, "Where ToleratedFailureCount stands in the input.", "map-state"),
    "ToleratedFailurePercentage": told(
        _or_expression({"type": "number", "minimum": 0, "maximum": 100}), "How many of a hundred iterations may fail.", "map-state"
    ),
    "ToleratedFailurePercentagePath": told(_TEXT, "Where ToleratedFailurePercentage stands in the input.", "map-state"),
    "Label": told({"type": "string", "maxLength": 40}, "A name of the Map for ids; of a distributed one.", "map-state"),
    "StartAt": told(_NAME, "The name of the first state.", "toplevelfields"),
    "States": told(
        {"type": "object", "minProperties": 1, "propertyNames": _NAME, "additionalProperties": {"$ref": "#/$defs/state"}},
        "The states by their names, which are unique over the whole machine.",
        "toplevelfields",
    ),
    "Version": told({"const": "1.0"}, "The version of the language.", "toplevelfields"),
    "ErrorEquals": told(
        {"type": "array", "minItems": 1, "items": {"anyOf": [{"enum": list(RESERVED)}, _TEXT]}},
        "The errors that it takes; States.ALL alone and in the last entry.",
        "errors",
    ),
    "IntervalSeconds": told(whole(1), "Seconds before the first repetition; 1 unless given.", "retrying-after-error"),
    "MaxAttempts": told(whole(0), "How often it is tried again; 3 unless given.", "retrying-after-error"),
    "BackoffRate": told(
        {"type": "number", "minimum": 1}, "By how much the time grows with each attempt; 2 unless given.", "retrying-after-error"
    ),
    "MaxDelaySeconds": told(whole(1), "The longest time between two attempts.", "retrying-after-error"),
    "JitterStrategy": told({"enum": ["FULL", "NONE"]}, "FULL: a time drawn between 0 and what it would be.", "retrying-after-error"),
    "Variable": told(PATH, "The path of what is compared.", "choice-state"),
    "Condition": told(
        {"anyOf": [{"type": "boolean"}, {"$ref": "#/$defs/expression"}]}, "An expression that gives true or false.", "choice-state"
    ),
}
