"""Reads one state: fields by type (one method per type), each typed, ranged and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sfc.asl.checks import Checks, at, came, did_you_mean
from sfc.asl.choice import read_rule
from sfc.asl.policies import read_catch, read_result_path, read_retry
from sfc.asl.states import (
    ChoiceState,
    FailState,
    ParallelState,
    PassState,
    Rule,
    State,
    Step,
    SucceedState,
    TaskState,
    WaitState,
    seconds_step,
)
from sfc.asl.template import read_template
from sfc.asl.timestamps import parse_timestamp

_EVERY = ("Type", "Comment", "QueryLanguage")
_PATHS = ("InputPath", "OutputPath")
_MOVES = ("Next", "End")
_WORK = (*_MOVES, *_PATHS, "Parameters", "ResultSelector", "ResultPath", "Retry", "Catch")
_WAITS = ("Seconds", "Timestamp", "SecondsPath", "TimestampPath")

FIELDS: dict[str, tuple[str, ...]] = {
    "Task": (*_EVERY, *_WORK, "Resource", "TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath"),
    "Parallel": (*_EVERY, *_WORK, "Branches"),
    "Pass": (*_EVERY, *_MOVES, *_PATHS, "Parameters", "ResultPath", "Result"),
    "Wait": (*_EVERY, *_MOVES, *_PATHS, *_WAITS),
    "Choice": (*_EVERY, *_PATHS, "Choices", "Default"),
    "Succeed": (*_EVERY, *_PATHS),
    "Fail": (*_EVERY, "Error", "ErrorPath", "Cause", "CausePath"),
}
_TYPES = (*FIELDS, "Map")
_NOT_YET = {
    "Assign": "variables (Assign) are",
    "Output": "Output (JSONata) is",
    "Arguments": "Arguments (JSONata) is",
    "Credentials": "Credentials are",
    "Detached": "detached branches (Detached) are",
    "Join": "Join is",
}

ReadBranch = Callable[[Any, str, Any], str | None]  # (branch, pointer, query language) -> the name of its first state


class StateReader:
    """Reads one state. Afterwards ``targets`` holds its transitions (value, pointer), and ``ends`` whether it can be the last."""

    def __init__(self, checks: Checks, name: str, pointer: str, branch: ReadBranch, language: Any) -> None:
        self.checks = checks
        self.name = name
        self.pointer = pointer
        self.branch = branch
        self.language = language
        self.targets: list[tuple[Any, str]] = []
        self.ends = False
        self.document: dict[str, Any] = {}

    def read(self, value: Any) -> State | None:
        checks = self.checks
        document = checks.object(value, self.pointer, "a state")
        if document is None or not checks.required(document, "Type", self.pointer, f"Write one of {', '.join(_TYPES)}."):
            self.ends = True  # nothing is known of it: no further complaint on its account
            return None
        self.document = document
        kind = document["Type"]
        if not isinstance(kind, str) or kind not in _TYPES:
            checks.error("unknown-type", self.at("Type"), f"expected one of {', '.join(_TYPES)}, {came(kind)}", did_you_mean(kind, _TYPES))
            self.ends = True
            return None
        checks.text(document, "Comment", self.pointer)
        if kind == "Map":
            checks.not_yet(self.at("Type"), "Map states are")
            self.moves()
            self.catch()
            return None
        if self.other_language():
            self.moves_of(kind)
            return None
        self.fields(kind)
        made: State = getattr(self, f"_{kind.lower()}")()
        return made

    def at(self, *tokens: str | int) -> str:
        return at(self.pointer, *tokens)

    def other_language(self) -> bool:
        """Whether the state is written in JSONata: then its fields can't be judged, only its transitions."""
        if "QueryLanguage" not in self.document:
            return bool(self.language == "JSONata")  # said once, at the machine
        language = self.document["QueryLanguage"]
        if language == "JSONata":
            self.checks.not_yet(self.at("QueryLanguage"), "JSONata is", "Write the state in JSONPath.")
            return True
        if language != "JSONPath":
            self.checks.error("bad-value", self.at("QueryLanguage"), f"expected JSONPath or JSONata, {came(language)}")
        elif self.language == "JSONata":
            self.checks.error("bad-value", self.at("QueryLanguage"), "expected no JSONPath state in a JSONata machine")
        return False

    def fields(self, kind: str) -> None:
        allowed = FIELDS[kind]
        for field in self.document:
            if field in allowed:
                continue
            if field in _NOT_YET:
                self.checks.not_yet(self.at(field), _NOT_YET[field])
                continue
            owners = [owner for owner, names in FIELDS.items() if field in names]
            hint = f"{field} belongs to {', '.join(owners)}." if owners else did_you_mean(field, allowed)
            self.checks.error("unknown-field", self.at(field), f"expected a field of a {kind} state, came {field!r}", hint)

    def moves_of(self, kind: str) -> None:
        """The transitions of a state that is not read further."""
        if kind in ("Succeed", "Fail"):
            self.ends = True
        elif kind == "Choice":
            choices = self.document.get("Choices")
            for number, rule in enumerate(choices if isinstance(choices, list) else []):
                if isinstance(rule, dict) and "Next" in rule:
                    self.targets.append((rule["Next"], self.at("Choices", number, "Next")))
            self.default()
        else:
            self.moves()
            self.catch()

    def moves(self) -> str | None:
        """``Next`` or ``End``."""
        end = self.document.get("End", False)
        if not isinstance(end, bool):
            self.checks.wrong_type(self.at("End"), "true", end)
        elif end:
            self.ends = True
            if "Next" in self.document:
                self.checks.error("mutually-exclusive", self.pointer, "expected one of Next and End, came both", "Remove one of them.")
        if "Next" in self.document:
            following = self.document["Next"]
            self.targets.append((following, self.at("Next")))
            return following if isinstance(following, str) and end is not True else None
        if end is False:
            hint = 'Write "Next": "<state>" or "End": true.'
            self.checks.error("missing-transition", self.pointer, "expected one of Next and End, came none", hint)
        return None

    def step(self, field: str) -> Step | None:
        """``InputPath`` or ``OutputPath``; None where it changes nothing. null stands for an empty object."""
        text = self.document.get(field, "$")
        if text is None:
            return lambda value, context: {}
        return None if text == "$" else self.checks.step(text, self.at(field))

    def template(self, field: str) -> Step | None:
        return read_template(self.checks, self.document[field], self.at(field)) if field in self.document else None

    def common(self) -> dict[str, Any]:
        """What every state's class takes; only fields of the state's own type count."""
        allowed = FIELDS[self.document["Type"]]
        given: dict[str, Any] = {"name": self.name, "pointer": self.pointer}
        if "Next" in allowed:
            given["next"] = self.moves()
        if "InputPath" in allowed:
            given.update(input_path=self.step("InputPath"), output_path=self.step("OutputPath"))
        if "Parameters" in allowed:
            given["parameters"] = self.template("Parameters")
        if "ResultSelector" in allowed:
            given["result_selector"] = self.template("ResultSelector")
        if "ResultPath" in allowed:
            given["result_path"] = read_result_path(self.checks, self.document, self.pointer)
        return given

    def work(self) -> dict[str, Any]:
        given = self.common()
        if "Retry" in self.document:
            given["retry"] = read_retry(self.checks, self.document["Retry"], self.at("Retry"))
        given["catch"] = self.catch()
        return given

    def catch(self) -> tuple[Any, ...]:
        if "Catch" not in self.document:
            return ()
        catchers, targets = read_catch(self.checks, self.document["Catch"], self.at("Catch"))
        self.targets += targets
        return catchers

    def _task(self) -> State:
        given = self.work()
        self.checks.required(self.document, "Resource", self.pointer, "Write who does the work, as in task:order-split.")
        resource = self.checks.text(self.document, "Resource", self.pointer)
        if resource is not None and not resource.strip():
            self.checks.wrong_type(self.at("Resource"), "a resource, as in task:order-split", resource)
        timeout, heartbeat = self.seconds("Timeout"), self.seconds("Heartbeat")
        if isinstance(timeout, int) and isinstance(heartbeat, int) and heartbeat >= timeout:
            message = f"expected less than TimeoutSeconds ({timeout}), came {heartbeat}"
            self.checks.error("out-of-range", self.at("HeartbeatSeconds"), message)
        return TaskState(**given, resource=resource or "", timeout=timeout, heartbeat=heartbeat)

    def seconds(self, word: str) -> int | Step | None:
        """``TimeoutSeconds`` or ``TimeoutSecondsPath``, and the same for heartbeats."""
        fixed, path = f"{word}Seconds", f"{word}SecondsPath"
        self.checks.one_at_most(self.document, (fixed, path), self.pointer)
        if path not in self.document:
            return self.checks.integer(self.document, fixed, self.pointer, 1)
        text = self.document[path]
        find = self.checks.step(text, self.at(path), definite=True)
        return None if find is None else seconds_step(path, text, find)

    def _parallel(self) -> State:
        given = self.work()
        branches: list[str] = []
        if self.checks.required(self.document, "Branches", self.pointer, "Write a list of branches, each with StartAt and States."):
            listed = self.document["Branches"]
            if not isinstance(listed, list) or not listed:
                self.checks.wrong_type(self.at("Branches"), "a list with at least one branch", listed)
                listed = []
            for number, branch in enumerate(listed):
                first = self.branch(branch, self.at("Branches", number), self.language)
                if first is not None:
                    branches.append(first)
        return ParallelState(**given, branches=tuple(branches))

    def _pass(self) -> State:
        literal = (self.document["Result"],) if "Result" in self.document else None
        return PassState(**self.common(), literal=literal)

    def _wait(self) -> State:
        given = self.common()
        fields = self.checks.one_at_most(self.document, _WAITS, self.pointer)
        if not fields:
            self.checks.error("missing-field", self.pointer, f"expected one of {', '.join(_WAITS)}, came none", 'Write "Seconds": 10.')
        for field in fields:
            value, here = self.document[field], self.at(field)
            if field == "Seconds":
                given["seconds"] = self.checks.integer(self.document, field, self.pointer, 0)
            elif field == "Timestamp":
                given["at_ms"] = self.timestamp(value, here)
            else:
                find = self.checks.step(value, here, definite=True)
                if find is not None:
                    given["seconds_path" if field == "SecondsPath" else "timestamp_path"] = (find, value)
        return WaitState(**given)

    def timestamp(self, value: Any, pointer: str) -> int | None:
        """Milliseconds since 1970, rounded up."""
        nanoseconds = parse_timestamp(value)
        if nanoseconds is None:
            wanted = "an RFC 3339 timestamp with Z or an offset"
            self.checks.error("bad-timestamp", pointer, f"expected {wanted}, {came(value)}", "Write one like 2026-03-14T01:59:00Z.")
            return None
        return -(-nanoseconds // 1_000_000)

    def _choice(self) -> State:
        given = self.common()
        rules: list[Rule] = []
        if self.checks.required(self.document, "Choices", self.pointer, "Write a list of rules."):
            listed = self.document["Choices"]
            if not isinstance(listed, list) or not listed:
                self.checks.wrong_type(self.at("Choices"), "a list with at least one rule", listed)
                listed = []
            for number, document in enumerate(listed):
                here = self.at("Choices", number)
                test = read_rule(self.checks, document, here, top=True)
                if isinstance(document, dict) and self.checks.required(document, "Next", here, "Write the state that the rule leads to."):
                    self.targets.append((document["Next"], at(here, "Next")))
                    if test is not None and isinstance(document["Next"], str):
                        rules.append((test, document["Next"]))
        return ChoiceState(**given, rules=tuple(rules), default=self.default())

    def default(self) -> str | None:
        if "Default" not in self.document:
            return None
        self.targets.append((self.document["Default"], self.at("Default")))
        value = self.document["Default"]
        return value if isinstance(value, str) else None

    def _succeed(self) -> State:
        self.ends = True
        return SucceedState(**self.common())

    def _fail(self) -> State:
        self.ends = True
        return FailState(**self.common(), error=self.words("Error"), cause=self.words("Cause"))

    def words(self, field: str) -> str | tuple[Step, str] | None:
        """``Error`` or ``ErrorPath``, ``Cause`` or ``CausePath``."""
        path = f"{field}Path"
        self.checks.one_at_most(self.document, (field, path), self.pointer)
        if path not in self.document:
            return self.checks.text(self.document, field, self.pointer)
        value = self.document[path]
        find = self.checks.step_or_intrinsic(value, self.at(path))
        return None if find is None else (find, value)
