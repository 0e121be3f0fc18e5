"""Reads one state: fields by type (one method per type), each typed, ranged and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sfc.asl.checks import Checks, at, came, did_you_mean, nearest
from sfc.asl.choice import read_condition, read_rule
from sfc.asl.fields import FIELDS, FIELDS_JSONATA, IN_OTHER, LANGUAGES, TYPES, WAITS
from sfc.asl.join_state import JoinState, read_until
from sfc.asl.jsonata import INPUT, RESULT, is_expression
from sfc.asl.map_reader import read_map
from sfc.asl.policies import read_catch, read_result_path, read_retry
from sfc.asl.states import (
    SECONDS_MAX,
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
    role_step,
    seconds_step,
)
from sfc.asl.template import read_template
from sfc.asl.timestamps import parse_timestamp
from sfc.asl.values import is_whole, read_typed, read_value
from sfc.asl.variables import read_assign

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
        self.unread = False  # where it leads is not known
        self.document: dict[str, Any] = {}
        self.jsonata = False
        self.known: tuple[str, ...] = ()  # the fields of its type in its language

    def read(self, value: Any) -> State | None:
        checks = self.checks
        document = checks.object(value, self.pointer, "a state")
        if document is None or not checks.required(document, "Type", self.pointer, f"Write one of {', '.join(TYPES)}."):
            self.ends = self.unread = True  # nothing is known of it: no further complaint on its account
            return None
        self.document = document
        kind = document["Type"]
        if not isinstance(kind, str) or kind not in TYPES:
            checks.error("unknown-type", self.at("Type"), f"expected one of {', '.join(TYPES)}, {came(kind)}", did_you_mean(kind, TYPES))
            self.ends = True
            self.unread = "Next" not in document
            self.targets += [] if self.unread else [(document["Next"], self.at("Next"))]
            return None
        checks.text(document, "Comment", self.pointer)
        self.jsonata = self.own_language() == "JSONata"
        self.known = (FIELDS_JSONATA if self.jsonata else FIELDS)[kind]
        self.fields(kind)
        made: State = getattr(self, f"_{kind.lower()}")()
        return made

    def at(self, *tokens: str | int) -> str:
        return at(self.pointer, *tokens)

    def own_language(self) -> Any:
        """The state's language: its own, else the machine's."""
        language = self.document.get("QueryLanguage", self.language)
        if language not in LANGUAGES:
            self.checks.error(
                "bad-value", self.at("QueryLanguage"), f"expected JSONPath or JSONata, {came(language)}", did_you_mean(language, LANGUAGES)
            )
            return nearest(language, LANGUAGES) or self.language
        if language == "JSONPath" and self.language == "JSONata":
            self.checks.error("bad-value", self.at("QueryLanguage"), "expected no JSONPath state in a JSONata machine")
        return language

    def fields(self, kind: str) -> None:
        other, language = (FIELDS, "JSONPath") if self.jsonata else (FIELDS_JSONATA, "JSONata")
        for field in self.document:
            if field in self.known:
                continue
            owners = [owner for owner, names in (FIELDS_JSONATA if self.jsonata else FIELDS).items() if field in names]
            if field in other[kind]:
                there = "In JSONata: Output." if field == "Parameters" and "Arguments" not in self.known else IN_OTHER.get(field, "")
                hint = f"{field} belongs to {language}. {there}".strip()
            else:
                hint = f"{field} belongs to {', '.join(owners)}." if owners else did_you_mean(field, self.known)
            self.checks.error("unknown-field", self.at(field), f"expected a field of a {kind} state, came {field!r}", hint)

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
        allowed = self.known
        given: dict[str, Any] = {"name": self.name, "pointer": self.pointer, "jsonata": self.jsonata}
        if "Next" in allowed:
            given["next"] = self.moves()
        if "InputPath" in allowed:
            given["input_path"] = self.step("InputPath")
        if "OutputPath" in allowed:
            given["output_path"] = self.step("OutputPath")
        if "Parameters" in allowed:
            given["parameters"] = self.template("Parameters")
        if "Arguments" in allowed:
            given["parameters"] = self.value("Arguments")
        if "ResultSelector" in allowed:
            given["result_selector"] = self.template("ResultSelector")
        if "ResultPath" in allowed:
            given["result_path"] = read_result_path(self.checks, self.document, self.pointer)
        members = RESULT if "Retry" in allowed else INPUT
        if "Output" in allowed:
            given["answer"] = self.value("Output", members)
        if "Assign" in allowed:
            given["assign"] = read_assign(self.checks, self.document, self.pointer, "Assign", jsonata=self.jsonata, members=members)
        return given

    def value(self, field: str, members: tuple[str, ...] = INPUT) -> Step | None:
        """A field of a JSONata state; None where it is not given."""
        return read_value(self.checks, self.document[field], self.at(field), field, members) if field in self.document else None

    def expression(self, field: str, kind: str, fits: Callable[[Any], bool]) -> Step | None:
        """A field that is written as an expression, in a JSONata state; None where it is not."""
        value = self.document.get(field)
        if not self.jsonata or not is_expression(value):
            return None
        return read_typed(self.checks, str(value), self.at(field), field, kind, fits)

    def work(self) -> dict[str, Any]:
        given = self.common()
        if "Retry" in self.document:
            given["retry"] = read_retry(self.checks, self.document["Retry"], self.at("Retry"))
        given["catch"] = self.catch()
        return given

    def catch(self) -> tuple[Any, ...]:
        if "Catch" not in self.document:
            return ()
        catchers, targets = read_catch(self.checks, self.document["Catch"], self.at("Catch"), jsonata=self.jsonata)
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
        return TaskState(**given, resource=resource or "", timeout=timeout, heartbeat=heartbeat, credentials=self.credentials())

    def credentials(self) -> Step | None:
        """``Credentials``: a RoleArn, and nothing that would have to be kept secret."""
        if "Credentials" not in self.document:
            return None
        here = self.at("Credentials")
        document = self.checks.object(self.document["Credentials"], here, "credentials with a RoleArn")
        if document is None:
            return None
        known = ("RoleArn",) if self.jsonata else ("RoleArn", "RoleArn.$")
        for field in document:
            if field not in known:
                hint = "No secret belongs into a blueprint: RoleArn names credentials, which workers know."
                self.checks.error("unknown-field", at(here, field), f"expected RoleArn, came {field!r}", hint)
        if not self.checks.one_at_most(document, known, here):
            self.checks.required(document, "RoleArn", here, "Write the name of the credentials, as in RoleArn: billing.")
            return None
        if "RoleArn" in document and not isinstance(document["RoleArn"], str):
            self.checks.wrong_type(at(here, "RoleArn"), "a text", document["RoleArn"])
        return role_step(
            read_value(self.checks, document, here, "Credentials") if self.jsonata else read_template(self.checks, document, here)
        )

    def seconds(self, word: str) -> int | Step | None:
        """``TimeoutSeconds`` or ``TimeoutSecondsPath``, and the same for heartbeats."""
        fixed, path = f"{word}Seconds", f"{word}SecondsPath"
        expression = self.expression(fixed, "integer", lambda found: is_whole(found) and 1 <= found <= SECONDS_MAX)
        if expression is not None:
            return expression
        self.checks.one_at_most(self.document, (fixed, path), self.pointer)
        number = self.checks.integer(self.document, fixed, self.pointer, 1)
        if path not in self.document:
            return number
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
        detached = self.document.get("Detached", False)
        if not isinstance(detached, bool):
            self.checks.wrong_type(self.at("Detached"), "true or false", detached)
        return ParallelState(**given, branches=tuple(branches), detached=detached is True)

    def _join(self) -> State:
        given = self.work()
        self.checks.required(self.document, "Of", self.pointer, "Write the name of the detached Parallel whose branches are awaited.")
        of = self.checks.text(self.document, "Of", self.pointer)
        until = read_until(self.checks, self.document, self.pointer)
        return JoinState(**given, of=of or "", until=until, timeout=self.seconds("Timeout"))

    def _map(self) -> State:
        return read_map(self, self.work())

    def _pass(self) -> State:
        literal = (self.document["Result"],) if "Result" in self.document else None
        return PassState(**self.common(), literal=literal)

    def _wait(self) -> State:
        given = self.common()
        waits = tuple(field for field in WAITS if field in self.known)
        fields = self.checks.one_at_most(self.document, waits, self.pointer)
        if not fields:
            self.checks.error("missing-field", self.pointer, f"expected one of {', '.join(waits)}, came none", 'Write "Seconds": 10.')
        seconds = self.expression("Seconds", "integer", lambda found: is_whole(found) and found >= 0)
        moment = self.expression("Timestamp", "string", lambda found: isinstance(found, str))
        if seconds is not None or moment is not None:
            return WaitState(**given, seconds_expression=seconds, timestamp_expression=moment)
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
                if self.jsonata:
                    test = read_condition(self.checks, document, here, f"Choices[{number}]")
                else:
                    test = read_rule(self.checks, document, here, top=True)
                if isinstance(document, dict) and self.checks.required(document, "Next", here, "Write the state that the rule leads to."):
                    self.targets.append((document["Next"], at(here, "Next")))
                    leaving = self.leaving(document, here, f"Choices[{number}]", given)
                    if test is not None and isinstance(document["Next"], str):
                        rules.append(Rule(test, document["Next"], leaving))
        return ChoiceState(**given, rules=tuple(rules), default=self.default())

    def leaving(self, rule: dict[str, Any], pointer: str, field: str, given: dict[str, Any]) -> State | None:
        """The Choice as a rule leaves it: with the rule's own Assign and Output, and never with the state's."""
        assign = read_assign(self.checks, rule, pointer, f"{field}/Assign", jsonata=self.jsonata)
        answer = None
        if self.jsonata and "Output" in rule:
            answer = read_value(self.checks, rule["Output"], at(pointer, "Output"), f"{field}/Output")
        if assign is None and answer is None and given.get("assign") is None and given.get("answer") is None:
            return None
        return ChoiceState(**{**given, "assign": assign, "answer": answer}, rules=())

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
        expression = self.expression(field, "string", lambda found: isinstance(found, str))
        if expression is not None:
            return expression, str(self.document[field])
        self.checks.one_at_most(self.document, (field, path), self.pointer)
        text = self.checks.text(self.document, field, self.pointer)
        if path not in self.document:
            return text
        value = self.document[path]
        find = self.checks.step_or_intrinsic(value, self.at(path))
        return None if find is None else (find, value)
