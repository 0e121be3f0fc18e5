"""Which fields each type of state has in which language: the tables that readers, schemas and hints share."""

from __future__ import annotations

from sfc.asl.map_reader import OWN

_EVERY = ("Type", "Comment", "QueryLanguage")
_PATHS = ("InputPath", "OutputPath")
_MOVES = ("Next", "End")
_WORK = (*_MOVES, *_PATHS, "Parameters", "ResultSelector", "ResultPath", "Retry", "Catch", "Assign")
WAITS = ("Seconds", "Timestamp", "SecondsPath", "TimestampPath")

FIELDS: dict[str, tuple[str, ...]] = {
    "Task": (
        *_EVERY, *_WORK, "Resource", "TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath", "Credentials",
    ),
    "Parallel": (*_EVERY, *_WORK, "Branches", "Detached"),
    "Map": (*_EVERY, *_WORK, *OWN),
    "Pass": (*_EVERY, *_MOVES, *_PATHS, "Parameters", "ResultPath", "Result", "Assign"),
    "Wait": (*_EVERY, *_MOVES, *_PATHS, *WAITS, "Assign"),
    "Choice": (*_EVERY, *_PATHS, "Choices", "Default", "Assign"),
    "Succeed": (*_EVERY, *_PATHS),
    "Fail": (*_EVERY, "Error", "ErrorPath", "Cause", "CausePath"),
    "Join": (
        *_EVERY, *_MOVES, "OutputPath", "ResultSelector", "ResultPath", "Retry", "Catch", "Assign", "Of", "Until",
        "TimeoutSeconds", "TimeoutSecondsPath",
    ),
}  # fmt: skip
"""The fields of each type in JSONPath."""
_LEAVING = ("Assign", "Output")
_WORK_JSONATA = (*_MOVES, *_LEAVING, "Retry", "Catch")
_OWN_JSONATA = ("Items", *(name for name in OWN if not name.endswith("Path")))
FIELDS_JSONATA: dict[str, tuple[str, ...]] = {
    "Task": (*_EVERY, *_WORK_JSONATA, "Arguments", "Resource", "TimeoutSeconds", "HeartbeatSeconds", "Credentials"),
    "Parallel": (*_EVERY, *_WORK_JSONATA, "Arguments", "Branches", "Detached"),
    "Map": (*_EVERY, *_WORK_JSONATA, *_OWN_JSONATA),
    "Pass": (*_EVERY, *_MOVES, *_LEAVING),
    "Wait": (*_EVERY, *_MOVES, *_LEAVING, "Seconds", "Timestamp"),
    "Choice": (*_EVERY, *_LEAVING, "Choices", "Default"),
    "Succeed": (*_EVERY, "Output"),
    "Fail": (*_EVERY, "Error", "Cause"),
    "Join": (*_EVERY, *_WORK_JSONATA, "Of", "Until", "TimeoutSeconds"),
}
"""The fields of each type in JSONata."""
LANGUAGES = ("JSONPath", "JSONata")
TYPES = tuple(FIELDS)

IN_OTHER = {
    "Output": "In JSONPath: OutputPath, ResultSelector and ResultPath.",
    "Arguments": "In JSONPath: Parameters.",
    "Parameters": "In JSONata: Arguments.",
    "ResultSelector": "In JSONata: Output.",
    "ResultPath": "In JSONata: Output.",
    "OutputPath": "In JSONata: Output.",
    "Result": "In JSONata: Output.",
    "InputPath": "In JSONata every field sees $states.input.",
    "SecondsPath": "In JSONata: an expression in Seconds.",
    "TimestampPath": "In JSONata: an expression in Timestamp.",
    "TimeoutSecondsPath": "In JSONata: an expression in TimeoutSeconds.",
    "HeartbeatSecondsPath": "In JSONata: an expression in HeartbeatSeconds.",
    "ErrorPath": "In JSONata: an expression in Error.",
    "CausePath": "In JSONata: an expression in Cause.",
    "ItemsPath": "In JSONata: Items.",
    "Items": "In JSONPath: ItemsPath.",
}
