"""Reads a definition: one pass that validates and compiles, and notes every problem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sfc.asl.checks import Checks, at, came, did_you_mean, nearest
from sfc.asl.dialect import modernise, original
from sfc.asl.fields import LANGUAGES
from sfc.asl.hazards import hazards
from sfc.asl.join_state import check_joins
from sfc.asl.machine import Machine
from sfc.asl.nesting import PROCESSORS
from sfc.asl.policies import read_retry
from sfc.asl.retry import Retrier
from sfc.asl.state_reader import StateReader
from sfc.asl.states import State, Step
from sfc.asl.surrogates import lone_surrogates
from sfc.asl.template import read_template
from sfc.asl.variables import assigned_names
from sfc.errors import InvalidDocument, Problem

MACHINE = ("StartAt", "States", "Comment", "Version", "TimeoutSeconds", "QueryLanguage", "Sfc")
BRANCH = ("StartAt", "States", "Comment")
_NAME_MAX = 80
_DEPTH_MAX = 200  # of the document; a deeper one would need the interpreter's stack to be read


def validate(definition: Any) -> list[Problem]:
    """Everything that is wrong with a definition, errors and warnings, in the order of the document. Never raises."""
    return _read(definition)[1]


def compile_machine(definition: Mapping[str, Any]) -> Machine:
    """Compiles a definition. Raises InvalidDocument with all problems when one of them is an error."""
    machine, problems = _read(definition)
    if machine is None or any(problem.severity == "error" for problem in problems):
        raise InvalidDocument("The state machine", problems)
    return machine


def retriers(documents: list[Any]) -> tuple[Retrier, ...]:
    """A list of retriers that stands by itself, as a task's default ``Retry``. Raises InvalidDocument; pointers begin at the list."""
    checks = Checks()
    read = read_retry(checks, documents, "")
    if any(problem.severity == "error" for problem in checks.problems):
        raise InvalidDocument("Retry", checks.problems)
    return read


def compile_template(document: Any) -> Step:
    """A payload template by itself, as ``Parameters`` has it: (value, context) -> what it makes, or a Failure.

    It knows no variables and no chance, since it belongs to no state. Raises InvalidDocument; pointers begin at the template.
    """
    checks = Checks(scoped=False)
    step = read_template(checks, document, "")
    if step is None or checks.problems:
        raise InvalidDocument("The template", checks.problems)
    return step


def _read(definition: Any) -> tuple[Machine | None, list[Problem]]:
    checks = Checks()
    if _too_deep(definition):
        checks.error("too-deep", "", f"expected at most {_DEPTH_MAX} levels of objects and lists in one another, came more")
        return None, checks.problems
    if unwritable := lone_surrogates(definition):
        return None, unwritable
    document, slips, renamed = modernise(definition, MACHINE)
    document = checks.object(document, "", "a state machine")
    machine = None if document is None else _Reader(checks, document).machine()
    found = [*slips, *checks.problems, *hazards(document)]
    if any(slip.severity == "error" for slip in slips):
        machine = None  # what was understood is not what stands there
    return machine, [problem._replace(pointer=original(problem.pointer, renamed)) for problem in found]


def _too_deep(document: Any) -> bool:
    level = [document]
    for _ in range(_DEPTH_MAX):
        level = [
            child for value in level if isinstance(value, (dict, list)) for child in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True


class _Reader:
    """One reading of one document."""

    def __init__(self, checks: Checks, document: dict[str, Any]) -> None:
        self.checks = checks
        self.document = document
        self.states: dict[str, State] = {}
        self.names: dict[str, str] = {}  # every state of the machine and its pointer
        self.variables: dict[str, str] = {}  # those of the scopes around what is read, and their pointers

    def machine(self) -> Machine | None:
        checks, document = self.checks, self.document
        checks.known(document, MACHINE, "a state machine", "")
        checks.text(document, "Comment", "")
        if document.get("Version", "1.0") != "1.0":
            checks.error("bad-value", "/Version", f'expected "1.0", {came(document["Version"])}')
        language = document.get("QueryLanguage", "JSONPath")
        if language not in LANGUAGES:
            message = f"expected JSONPath or JSONata, {came(language)}"
            checks.error("bad-value", "/QueryLanguage", message, did_you_mean(language, LANGUAGES))
            language = nearest(language, LANGUAGES) or "JSONPath"  # said once; its states are read as they were probably meant
        timeout_s = checks.integer(document, "TimeoutSeconds", "", 1)
        self.collect(document, "")
        start_at = self.scope(document, "", language)
        return None if start_at is None else Machine(start_at, self.states, timeout_s)

    def collect(self, document: Any, pointer: str) -> None:
        """Notes all names first, so that a transition out of its branch can be told from one to nowhere."""
        states = document.get("States") if isinstance(document, dict) else None
        for name, state in states.items() if isinstance(states, dict) else ():
            here = at(pointer, "States", name)
            if name in self.names:
                other = self.names[name]
                message = f"expected names that are unique over the whole machine, came {name!r} again (first at {other})"
                self.checks.error("duplicate-state", here, message, "Rename one of them.")
            self.names.setdefault(name, here)
            kind = state.get("Type") if isinstance(state, dict) else None
            branches = state.get("Branches") if kind == "Parallel" else None
            for number, branch in enumerate(branches if isinstance(branches, list) else ()):
                self.collect(branch, at(here, "Branches", number))
            for field in PROCESSORS if kind == "Map" else ():
                self.collect(state.get(field), at(here, field))

    def scope(self, document: dict[str, Any], pointer: str, language: Any) -> str | None:
        """Reads one ``StartAt`` with its ``States``; gives the name of the first state."""
        checks = self.checks
        states = document.get("States")
        if not isinstance(states, dict) or not states:
            if checks.required(document, "States", pointer, "Write the states by their names."):
                checks.wrong_type(at(pointer, "States"), "an object with at least one state", states)
            if checks.required(document, "StartAt", pointer, "Write the name of the first state."):
                checks.name(document["StartAt"], at(pointer, "StartAt"))
            return None
        start_at, first = None, None
        if checks.required(document, "StartAt", pointer, "Write the name of the first state."):
            start_at = self.target(document["StartAt"], at(pointer, "StartAt"), states)
            first = start_at or nearest(document["StartAt"], states)
        outer = self.variables
        self.variables = self.assigned(states, at(pointer, "States"))
        edges: dict[str, list[str | None]] = {}  # None: nobody knows where to
        ends = False
        for name, state in states.items():
            here = at(pointer, "States", name)
            if len(name) > _NAME_MAX or not name:
                checks.error("bad-name", here, f"expected a name of 1 to {_NAME_MAX} characters, came one of {len(name)}")
            reader = StateReader(checks, name, here, self.branch, language)
            made = reader.read(state)
            if made is not None:
                self.states.setdefault(name, made)
            edges[name] = [self.target(value, where, states) or nearest(value, states) for value, where in reader.targets]
            edges[name] += [None] if reader.unread else []
            ends = ends or reader.ends
        check_joins(checks, states, at(pointer, "States"))
        self.variables = outer
        clear = all(target is not None for targets in edges.values() for target in targets)
        if not ends and clear:
            hint = 'Give the last state "End": true, or end in a Succeed or Fail state.'
            checks.error("no-terminal-state", at(pointer, "States"), "expected a state that ends, came none", hint)
        if first is not None and clear:
            reached = set(_reach(first, edges))
            for name in states:
                if name not in reached:
                    message = f"expected a way from StartAt to every state, came none to {name!r}"
                    checks.warning("unreachable-state", at(pointer, "States", name), message, "Remove it, or name it in a Next.")
        return start_at

    def assigned(self, states: dict[str, Any], pointer: str) -> dict[str, str]:
        """The variables that are known in a scope: its own, and those around it, which it may read and not assign."""
        outer, known = self.variables, dict(self.variables)
        for name, here in assigned_names(states):
            if name in outer:
                message = f"expected a name that no scope around this one assigns, came {name!r}, which {outer[name]} assigns"
                self.checks.error("variable-of-outer-scope", pointer + here, message, "Rename one of the two variables.")
            known.setdefault(name, pointer + here)
        return known

    def branch(self, document: Any, pointer: str, language: Any) -> str | None:
        """One branch of a Parallel state, or the processor of a Map."""
        branch = self.checks.object(document, pointer, "a branch with StartAt and States")
        if branch is None:
            return None
        self.checks.known(branch, BRANCH, "a branch", pointer)
        return self.scope(branch, pointer, language)

    def target(self, value: Any, pointer: str, states: dict[str, Any]) -> str | None:
        """The name of a state of the same scope."""
        if not self.checks.name(value, pointer):
            return None
        if value in states:
            return str(value)
        if value in self.names:
            message = f"expected a state of the same branch, came {value!r}, which stands at {self.names[value]}"
            self.checks.error(
                "crosses-branches", pointer, message, "A branch ends by itself; what follows it is the Next of its Parallel or Map state."
            )
        else:
            self.checks.error("unknown-state", pointer, f"expected the name of a state, came {value!r}", did_you_mean(value, states))
        return None


def _reach(start: str, edges: dict[str, list[str | None]]) -> Iterator[str]:
    seen, todo = {start}, [start]
    while todo:
        name = todo.pop()
        yield name
        for following in edges.get(name, ()):
            if following is not None and following not in seen:
                seen.add(following)
                todo.append(following)
