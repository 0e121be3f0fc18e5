"""Warnings: what is right by the language and yet hardly what was meant. Only what is certain is said."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any

from sfc.asl.checks import Checks, at
from sfc.asl.failure import RUNTIME
from sfc.asl.nesting import machines_in
from sfc.asl.policies import RESERVED
from sfc.asl.retry import ALL, TASK_FAILED, TIMEOUT
from sfc.errors import Problem

JOB_KEPT_S = 7 * 86_400
"""A job ages out of its topic after 8 days; a task without a timeout ends after 7."""

_WITHOUT_JOB = ("signal:", "blueprint:")  # what these wait for ages out of no topic
_NEVER_RAISED = {
    RUNTIME: "It always ends the flow: nothing takes it.",
    "States.NoChoiceMatched": "A Choice without a rule that holds fails with States.Runtime: give it a Default.",
    "States.ParameterPathFailure": "A path that finds nothing fails with States.Runtime, which nothing takes.",
    "States.IntrinsicFailure": "A function that fails does so with States.Runtime, which nothing takes.",
    "States.BranchFailed": "A Parallel fails with the error of its branch: name that one.",
    "States.HeartbeatTimeout": "A missed heartbeat is States.Timeout.",
}
_PATH = re.compile(r"\$(\$?\.|\$?\[|\.\.)|States\.[A-Z]\w+\(").match
_TEMPLATES = ("Parameters", "ResultSelector", "ItemSelector", "Assign")
_EXPRESSIONS = ("Arguments", "Output", "Assign", "Items", "ItemSelector")


def hazards(document: Any) -> list[Problem]:
    """All warnings of a state machine. Parts that have errors are passed over: those come first."""
    checks = Checks()
    if isinstance(document, dict):
        limit = document.get("TimeoutSeconds")
        _Walk(checks, _whole(limit), document.get("QueryLanguage", "JSONPath")).machine(document, "")
    return checks.problems


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class _Walk:
    def __init__(self, checks: Checks, limit_s: int | None, language: Any) -> None:
        self.checks = checks
        self.limit_s = limit_s
        self.language = language

    def machine(self, document: dict[str, Any], pointer: str) -> None:
        states = document.get("States")
        for name, state in states.items() if isinstance(states, dict) else ():
            if isinstance(state, dict):
                self.state(state, at(pointer, "States", name))

    def state(self, state: dict[str, Any], pointer: str) -> None:
        kind = state.get("Type")
        if kind == "Choice":
            self.choice(state, pointer)
        if kind == "Wait":
            self.wait(state, pointer)
        if kind == "Task":
            self.timeouts(state, pointer)
        for field in ("Retry", "Catch"):
            if isinstance(state.get(field), list):
                self.errors(state[field], at(pointer, field), "retrier" if field == "Retry" else "catcher")
        self.texts(state, pointer)
        for place, machine in machines_in(state):
            self.machine(machine, at(pointer, *place))

    def choice(self, state: dict[str, Any], pointer: str) -> None:
        rules = state.get("Choices")
        if "Default" in state or not isinstance(rules, list) or not rules or _complete(rules):
            return
        hint = "Add Default: a state for what no rule takes; without it such a flow fails with States.Runtime."
        self.checks.warning("choice-without-default", pointer, "expected a Default, came none", hint)

    def wait(self, state: dict[str, Any], pointer: str) -> None:
        seconds, here = _whole(state.get("Seconds")), at(pointer, "Seconds")
        if seconds is None:
            return
        if seconds == 0:
            self.checks.warning("wait-of-zero", here, "expected a time to wait, came 0", "Remove the state, or write a Pass.")
        elif self.limit_s is not None and seconds >= self.limit_s:
            self.beyond(here, seconds)

    def timeouts(self, state: dict[str, Any], pointer: str) -> None:
        for field in ("TimeoutSeconds", "HeartbeatSeconds"):
            seconds, here = _whole(state.get(field)), at(pointer, field)
            if seconds is None:
                continue
            if self.limit_s is not None and seconds > self.limit_s:
                self.beyond(here, seconds)
            elif seconds > JOB_KEPT_S and not str(state.get("Resource")).startswith(_WITHOUT_JOB):
                message = f"expected at most {JOB_KEPT_S} s (7 days), for which a job is kept in its topic, came {seconds}"
                self.checks.warning("long-timeout", here, message, "For longer waits use a signal: state, or a Wait.")

    def beyond(self, pointer: str, seconds: int) -> None:
        message = f"expected less than the machine's TimeoutSeconds ({self.limit_s}), came {seconds}"
        self.checks.warning("timeout-beyond-machine", pointer, message, "The machine times out first.")

    def errors(self, entries: list[Any], pointer: str, what: str) -> None:
        """Names that an entry before takes, that nothing fails with, or that are misspelt."""
        taken: dict[str, int] = {}
        for number, entry in enumerate(entries):
            names = entry.get("ErrorEquals") if isinstance(entry, dict) else None
            listed = names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []
            here = at(pointer, number, "ErrorEquals")
            repeated = [(index, by) for index, name in enumerate(listed) if (by := _taken_by(name, taken, listed[:index])) is not None]
            if repeated and len(repeated) == len(listed):
                message = f"expected an error that no {what} before it takes, came {' and '.join(listed)}"
                self.checks.warning("never-matches", here, message, f"Remove the {what}, or move it up: the first that fits counts.")
            else:
                for index, by in repeated:
                    where = "twice in one list" if by < 0 else f"which entry {by} takes"
                    self.checks.warning(
                        "repeated-error", at(here, index), f"expected each error once, came {listed[index]}, {where}", "Remove it."
                    )
            for index, name in enumerate(listed):
                self.error_name(name, at(here, index))
                taken.setdefault(name, number)

    def error_name(self, name: str, pointer: str) -> None:
        if name in _NEVER_RAISED:
            self.checks.warning("never-raised", pointer, f"expected an error that states fail with, came {name}", _NEVER_RAISED[name])
        elif name not in RESERVED and not name.startswith("States."):
            near = difflib.get_close_matches(name, RESERVED, 1, 0.85)
            if not near and re.match(r"states?[.:_-]", name, re.IGNORECASE):
                near = difflib.get_close_matches(name, RESERVED, 1, 0.6)
            if near:
                message = f"expected one of the language's error names, came {name!r}, which is another name"
                self.checks.warning("unknown-error", pointer, message, f"Did you mean {near[0]!r}?")

    def texts(self, state: dict[str, Any], pointer: str) -> None:
        if state.get("QueryLanguage", self.language) == "JSONata":
            for field in _EXPRESSIONS:
                for here, key, text in _strings(state.get(field), at(pointer, field)):
                    if key.endswith(".$"):
                        hint = f"Write {key[:-2]!r} and an expression: {{% $states.input… %}}."
                        self.literal(here, f"expected a name without .$ in a JSONata state, came {key!r}", hint)
                    elif text[:2] != "{%" and text[-2:] != "%}" and text.strip().startswith("{%"):  # the other two are errors already
                        self.literal(here, f"expected {{%…%}} alone, came {text!r}, which is a text", "Remove the spaces around it.")
            return
        for field in _TEMPLATES:
            for here, key, text in _strings(state.get(field), at(pointer, field)):
                if not key.endswith(".$") and _PATH(text):
                    hint = f"Write {key + '.$'!r} for what it finds." if key else "Make it a field whose name ends in .$."
                    self.literal(here, f"expected a text that is no path, came {text!r} in a field that stays as it is", hint)
        if state.get("Type") == "Pass":
            for here, key, text in _strings(state.get("Result"), at(pointer, "Result")):
                if key.endswith(".$") and _PATH(text):
                    hint = "Write Parameters in place of Result."
                    self.literal(here, f"expected plain JSON in Result, came {key!r}, which stays as it is", hint)

    def literal(self, pointer: str, message: str, hint: str) -> None:
        self.checks.warning("literal-path", pointer, message, hint)


def _strings(value: Any, pointer: str, key: str = "") -> Iterator[tuple[str, str, str]]:
    """Texts below a value: pointer, the name of the field (of a list's entry '') and the text."""
    if isinstance(value, str):
        yield pointer, key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _strings(inner, at(pointer, name), name if isinstance(name, str) else "")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _strings(inner, at(pointer, number))


def _taken_by(name: str, taken: dict[str, int], same_list: list[str]) -> int | None:
    """The number of the entry that takes the error before; -1 for the same entry; None where none does."""
    if name in same_list:
        return -1
    if name in taken:
        return taken[name]
    return taken.get(TASK_FAILED) if name not in (ALL, TIMEOUT) else None


def _complete(rules: list[Any]) -> bool:
    """Whether one of the rules holds for everything: a rule and its opposite."""
    ways = ("Next", "Comment", "Assign", "Output")
    plain = [{name: value for name, value in rule.items() if name not in ways} for rule in rules if isinstance(rule, dict)]
    presence = [rule for rule in plain if rule.keys() == {"Variable", "IsPresent"} and isinstance(rule["IsPresent"], bool)]
    opposites = [{"Not": rule} for rule in plain] + [{**rule, "IsPresent": not rule["IsPresent"]} for rule in presence]
    return any(opposite in plain for opposite in opposites)
