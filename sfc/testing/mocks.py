"""What stands for the services: per Task state a list of answers, given in order, the last one again and again.

An answer is one of

- ``{"return": VALUE}``
- ``{"throw": {"error": NAME, "cause": TEXT}}`` (both may be missing)
- ``{"never": True}``: no answer at all
- a function that is called with the task's effective input and returns the value, or raises ``TaskFailed``

and the first three may have ``"delay": SECONDS`` (how long the work takes) and ``"heartbeat": SECONDS`` (a sign of life that often).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sfc.asl import Machine, MapState, TaskState
from sfc.asl.checks import did_you_mean
from sfc.engine.commands import Complete, Fail
from sfc.errors import BadInput, MalformedRecord
from sfc.wire.payload import decode_any

Mock = Mapping[str, Any] | Callable[[Any], Any]

_FIELDS = ("return", "throw", "never", "delay", "heartbeat")
_KINDS = ("return", "throw", "never")
_EXAMPLE = 'write {"return": {…}}, {"throw": {"error": "Busy", "cause": "…"}}, {"never": true}, or a function'


class TaskFailed(Exception):
    """Raised by a mock's function: the task fails with this error and cause."""

    def __init__(self, error: str | None = None, cause: str | None = None) -> None:
        super().__init__(error, cause)
        self.error = error
        self.cause = cause


class Answer(NamedTuple):
    """``command`` None: none comes. Times in milliseconds; 0 in ``heartbeat_ms``: no sign of life."""

    command: Complete | Fail | None
    delay_ms: int = 0
    heartbeat_ms: int = 0


class Mocks:
    """Checked when made; one for each run, since it counts the answers given."""

    def __init__(self, mocks: Mapping[str, Any] | None, machine: Machine) -> None:
        """Raises BadInput for states that are not there or that nobody answers, and for what is no answer."""
        self._answers: dict[str, list[Mock]] = {}
        self._given: dict[str, int] = {}
        if mocks is not None and not isinstance(mocks, Mapping):
            raise BadInput(f"mocks are an object of Task states' names, this is {mocks!r:.60}")
        for name, answers in (mocks or {}).items():
            state = machine.states.get(name)
            if state is None:
                raise BadInput(f"mocks name the state {name!r}, which is not there. {did_you_mean(name, _tasks(machine))}".rstrip())
            if not isinstance(state, TaskState) and not (isinstance(state, MapState) and state.reads):
                only = "only Task states, and Maps with an ItemReader, are answered"
                raise BadInput(f"mocks name the state {name!r}, which is a {state.kind} state: {only}")
            listed = list(answers) if isinstance(answers, Sequence) and not isinstance(answers, str) else [answers]
            if not listed:
                raise BadInput(f"the list of mocks of state {name!r} is empty", hint=_EXAMPLE)
            for number, answer in enumerate(listed):
                _check(answer, f"mock {number + 1} of state {name!r}")
            self._answers[name] = listed

    def has(self, state: str) -> bool:
        """Whether the state has any."""
        return state in self._answers

    def answer(self, state: str, token: str, value: Any) -> Answer:
        """The next answer for a job of a state that has some. ``value``: the effective input."""
        answers = self._answers[state]
        number = self._given.get(state, 0)
        self._given[state] = number + 1
        answer = answers[min(number, len(answers) - 1)]
        what = f"mock {min(number, len(answers) - 1) + 1} of state {state!r}"
        if not isinstance(answer, Mapping):
            return Answer(_called(answer, token, value, what))
        delay_ms, heartbeat_ms = round(answer.get("delay", 0) * 1000), round(answer.get("heartbeat", 0) * 1000)
        if "throw" in answer:
            thrown = answer["throw"]
            return Answer(Fail(token, _field(thrown, "error"), _field(thrown, "cause")), delay_ms, heartbeat_ms)
        return Answer(_completed(token, answer["return"], what) if "return" in answer else None, delay_ms, heartbeat_ms)


def payload(value: Any, what: str) -> Any:
    """A copy of a JSON value, as if it had come by the wire. Raises BadInput for what is none, MalformedRecord for what is too deep."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as e:
        raise BadInput(f"{what} is no JSON value: {e}") from e
    return decode_any(text.encode("utf-8", "surrogatepass"))


def _completed(token: str, value: Any, what: str) -> Complete | Fail:
    try:
        return Complete(token, payload(value, what))
    except MalformedRecord as e:
        return Fail(token, "States.Runtime", f"the value of a reply must be JSON: {e.message}")  # as the wire takes a worker's reply


def _called(function: Callable[[Any], Any], token: str, value: Any, what: str) -> Complete | Fail:
    """What a function makes of the input. An assertion of the test's own goes through; other exceptions are the worker's errors."""
    try:
        result = function(value)
    except AssertionError:
        raise
    except Exception as e:
        if hasattr(e, "error") and hasattr(e, "cause"):  # TaskFailed, or the TaskError of sfc_workers
            return Fail(token, e.error, e.cause)
        return Fail(token, type(e).__name__, str(e))
    return _completed(token, result, f"what {what} returns")


def _field(thrown: Mapping[str, Any], name: str) -> str | None:
    found: str | None = thrown.get(name, thrown.get(name.capitalize()))
    return found


def _tasks(machine: Machine) -> list[str]:
    return [state.name for state in machine.states.values() if isinstance(state, TaskState)]


def _check(answer: Any, what: str) -> None:
    if callable(answer):
        return
    if not isinstance(answer, Mapping):
        raise BadInput(f"{what} is {answer!r:.60}", hint=_EXAMPLE)
    for field in answer:
        if field not in _FIELDS:
            raise BadInput(f"{what} has the field {field!r}. {did_you_mean(field, _FIELDS)}", hint=_EXAMPLE)
    kinds = [kind for kind in _KINDS if kind in answer]
    if len(kinds) != 1:
        raise BadInput(f"{what} has {' and '.join(kinds) or 'none of return, throw and never'}: one was expected", hint=_EXAMPLE)
    for field in ("delay", "heartbeat"):
        seconds = answer.get(field, 0)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < float("inf"):
            raise BadInput(f"{what}: {field} is a number of seconds, this is {seconds!r:.60}")
    if answer.get("never", True) is not True:
        raise BadInput(f"{what}: never is true or left out, this is {answer['never']!r:.60}")
    thrown = answer.get("throw")
    if "throw" in answer:
        if not isinstance(thrown, Mapping) or not {str(k).lower() for k in thrown} <= {"error", "cause"}:
            raise BadInput(f"{what}: throw is an object with error and cause, this is {thrown!r:.60}", hint=_EXAMPLE)
        for name in ("error", "cause"):
            if not isinstance(_field(thrown, name), str | None):
                raise BadInput(f"{what}: the {name} is a text or null, this is {_field(thrown, name)!r:.60}")
