"""A JSON Schema of the language, for editors: completion, descriptions and a first check. Written from the tables that the reader goes by.

It is never stricter than the reader (``validate``), which says more: names of states, paths and expressions can't be checked by a schema.
"""

from __future__ import annotations

from collections.abc import Mapping

from sfc.asl.choice import LOGIC, OPERATORS, RULE, RULE_JSONATA
from sfc.asl.fields import FIELDS, FIELDS_JSONATA
from sfc.asl.map_reader import BATCHER, CONFIG, READER, READER_CONFIG, READER_OTHERS, WRITER, WRITER_CONFIG
from sfc.asl.policies import CATCHER, CATCHER_JSONATA, RETRIER
from sfc.asl.reader import BRANCH, MACHINE
from sfc.asl.schema_fields import FIELD, PATH, SPEC, Schema, told, whole

_TYPES = {
    "Task": ("Work that a service does.", "task-state"),
    "Parallel": ("Branches that run side by side.", "parallel-state"),
    "Join": ("Waits for branches of a detached Parallel.", "detached-branches-and-join"),
    "Map": ("The same steps for each item of a list.", "map-state"),
    "Pass": ("Hands its input on, or a fixed result.", "pass-state"),
    "Wait": ("Waits for a while, or until a time.", "wait-state"),
    "Choice": ("Chooses the next state by rules.", "choice-state"),
    "Succeed": ("Ends the flow, or the branch, well.", "succeed-state"),
    "Fail": ("Ends the flow with an error.", "fail-state"),
}
_REQUIRED = {"Task": ["Resource"], "Parallel": ["Branches"], "Choice": ["Choices"], "Join": ["Of"]}


def machine_schema() -> Schema:
    """``properties``, ``required`` and ``$defs`` of a state machine; whoever publishes it adds its own members."""
    return {
        "type": "object",
        "required": ["StartAt", "States"],
        "properties": {field: _machine_field(field) for field in MACHINE if field != "Sfc"},
        "additionalProperties": False,
        "$defs": {
            "expression": {"type": "string", "pattern": r"^\{%[\s\S]*%\}$", "description": "A JSONata expression: {% … %}."},
            "branch": _object(BRANCH, {}, ["StartAt", "States"]),
            "processor": _object(BRANCH, {"ProcessorConfig": _words(CONFIG, {})}, ["StartAt", "States"]),
            "state": _state(),
            **{kind: _of_type(kind) for kind in FIELDS},
            "retrier": _object(RETRIER, {}, ["ErrorEquals"]),
            "catcher": _object((*CATCHER, *CATCHER_JSONATA), {}, ["ErrorEquals", "Next"]),
            "rule": _rule(top=True),
            "innerRule": _rule(top=False),
            "reader": _object(READER, {"ReaderConfig": _reader_config()}, ["Resource"]),
            "batcher": _object((), {field: {} for field in BATCHER}, []),
            "writer": _object(WRITER, {"WriterConfig": _words(WRITER_CONFIG, {})}, []),
        },
    }


def _machine_field(field: str) -> Schema:
    if field == "TimeoutSeconds":
        return told(whole(1), "Ends the whole flow as TIMED_OUT.", "toplevelfields")
    return FIELD[field]


def _object(fields: tuple[str, ...], own: Schema, required: list[str]) -> Schema:
    """``own`` go before what the language says of fields of the same name."""
    properties = {field: own[field] if field in own else FIELD[field] for field in dict.fromkeys((*fields, *own))}
    return {"type": "object", "properties": properties, "additionalProperties": False, **({"required": required} if required else {})}


def _words(table: Mapping[str, tuple[str, ...]], own: Schema) -> Schema:
    return {"type": "object", "properties": {**{field: {"enum": list(words)} for field, words in table.items()}, **own}}


def _reader_config() -> Schema:
    return _words(READER_CONFIG, {field: {} for field in READER_OTHERS})


def _state() -> Schema:
    by_type = [
        {"if": {"properties": {"Type": {"const": kind}}, "required": ["Type"]}, "then": {"$ref": f"#/$defs/{kind}"}} for kind in FIELDS
    ]
    kinds = [{"const": kind, "description": f"{_TYPES[kind][0]} {SPEC}#{_TYPES[kind][1]}"} for kind in FIELDS]
    return {
        "type": "object",
        "required": ["Type"],
        "properties": {"Type": {"oneOf": kinds, "description": f"The type of the state. {SPEC}#statetypes"}},
        "allOf": by_type,
    }


def _of_type(kind: str) -> Schema:
    fields = (*FIELDS[kind], *FIELDS_JSONATA[kind])
    made = _object(fields, {"Type": {"const": kind}}, _REQUIRED.get(kind, []))
    ways = [{"required": ["Next"]}, {"required": ["End"]}]
    return {**made, "description": f"{_TYPES[kind][0]} {SPEC}#{_TYPES[kind][1]}", **({"anyOf": ways} if "End" in fields else {})}


def _rule(*, top: bool) -> Schema:
    inner = {"$ref": "#/$defs/innerRule"}
    logic = {field: inner if field == "Not" else {"type": "array", "minItems": 1, "items": inner} for field in LOGIC}
    fields = dict.fromkeys((*RULE, *RULE_JSONATA) if top else ("Comment",))
    return _object(("Variable", *fields), {**logic, **{field: _operand(field) for field in OPERATORS}}, ["Next"] if top else [])


def _operand(operator: str) -> Schema:
    about = "Compares what Variable finds"
    if operator.startswith("Is"):
        return told({"type": "boolean"}, "Whether Variable is of this kind.", "choice-state")
    if operator.endswith("Path"):
        return told(PATH, f"{about} with what this path finds.", "choice-state")
    kind = "number" if operator.startswith("Numeric") else "boolean" if operator.startswith("Boolean") else "string"
    return told({"type": kind}, f"{about} with this.", "choice-state")
