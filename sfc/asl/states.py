"""The state types: what each makes of its input and of its result. Built by ``sfc.asl.reader``; time and chance are arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from sfc.asl.failure import RUNTIME, Failure, Stop, as_java, query_failure, runtime_failure
from sfc.asl.retry import Catcher, Retrier
from sfc.asl.timestamps import parse_timestamp

Step = Callable[[Any, Any], Any]  # (value, context) -> a value or a Failure
Merge = Callable[[Any, Any], Any]  # (raw input, result) -> a value or a Failure
Test = Callable[[Any, Any], bool]  # (value, context) -> whether a condition holds; raises Stop where it can't be told

WAIT_S_MAX = 2**31 - 1
SECONDS_MAX = 99_999_999  # Step Functions' largest number of seconds in a field


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What every state has. A field that the document does not give is None and costs nothing."""

    kind: ClassVar[str] = ""
    has_result: ClassVar[bool] = False  # whether ``$states.result`` exists in its Output and Assign
    name: str
    pointer: str
    next: str | None = None  # None: the end of the machine or of the branch
    input_path: Step | None = None
    parameters: Step | None = None
    result_selector: Step | None = None
    result_path: Merge | None = None
    output_path: Step | None = None
    jsonata: bool = False  # written in JSONata: its Arguments are ``parameters``
    answer: Step | None = None  # JSONata's Output
    assign: Step | None = None

    def effective_input(self, raw: Any, context: Any) -> Any | Failure:
        """``InputPath``, then ``Parameters`` (in JSONata ``Arguments``); the very ``raw`` where neither is given."""
        value = raw
        if self.input_path is not None:
            value = self.input_path(raw, context)
            if value.__class__ is Failure:
                return value
        return value if self.parameters is None else self.parameters(value, context)

    def output(self, raw: Any, result: Any, context: Any) -> Any | Failure:
        """``ResultSelector``, ``ResultPath`` (into ``raw``, which stays as it is), ``OutputPath``.

        In JSONata ``Output``, whose context has the result. The very ``result`` where none of them is given.
        """
        if self.jsonata:
            return result if self.answer is None else self.answer(raw, context)
        value = result
        if self.result_selector is not None:
            value = self.result_selector(value, context)
            if value.__class__ is Failure:
                return value
        if self.result_path is not None:
            value = self.result_path(raw, value)
            if value.__class__ is Failure:
                return value
        return value if self.output_path is None else self.output_path(value, context)

    def assigned(self, raw: Any, result: Any, context: Any) -> dict[str, Any] | Failure:
        """What ``Assign`` gives variables; asked only where there is one. In JSONPath its ``$`` is the result."""
        assert self.assign is not None
        found: dict[str, Any] | Failure = self.assign(raw if self.jsonata else result, context)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState(State):
    """Work of somebody else's. ``timeout`` and ``heartbeat`` give seconds, or None where the state names none.

    ``credentials`` gives the role's name, the text of ``RoleArn``: never a secret.
    """

    kind: ClassVar[str] = "Task"
    has_result: ClassVar[bool] = True
    resource: str
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()
    timeout: int | Step | None = None
    heartbeat: int | Step | None = None
    credentials: Step | None = None

    def timeout_s(self, raw: Any, context: Any) -> int | Failure | None:
        """``TimeoutSeconds`` or what ``TimeoutSecondsPath`` finds in the raw input."""
        return whole_seconds(self.timeout, raw, context)

    def heartbeat_s(self, raw: Any, context: Any) -> int | Failure | None:
        """``HeartbeatSeconds`` or what ``HeartbeatSecondsPath`` finds in the raw input."""
        return whole_seconds(self.heartbeat, raw, context)


def step_of(document: Any, inner: Step | None) -> Step:
    """The step of a part of the document: ``inner``, which may raise Stop. Without one the document is what it makes, once and shared:
    payloads are never changed in place."""
    if inner is None:
        return lambda value, context: document

    def step(value: Any, context: Any) -> Any:
        try:
            return inner(value, context)
        except Stop as stop:
            return stop.failure

    return step


def whole_seconds(given: int | Step | None, raw: Any, context: Any) -> int | Failure | None:
    """A number, or what a step finds; None where there is neither."""
    if given is None or isinstance(given, int):
        return given
    found: int | Failure = given(raw, context)
    return found


def role_step(make: Step | None) -> Step | None:
    """The ``RoleArn`` of what ``Credentials`` make: a text, or a Failure."""
    if make is None:
        return None

    def step(value: Any, context: Any) -> Any:
        found = make(value, context)
        if isinstance(found, Failure) or isinstance(found["RoleArn"], str):
            return found if isinstance(found, Failure) else found["RoleArn"]
        return runtime_failure(f"The RoleArn of the Credentials must be a text, came {as_java(found['RoleArn'])}")

    return step


def seconds_step(field: str, text: str, find: Step) -> Step:
    """``TimeoutSecondsPath`` and its like: a whole number of seconds above 0, or a Failure."""

    def step(value: Any, context: Any) -> Any:
        found = find(value, context)
        if isinstance(found, Failure):
            return found
        if found.__class__ is not int:
            return runtime_failure(f"The {field} parameter cannot be parsed as a long value: {text} == {as_java(found)}")
        if not 1 <= found <= SECONDS_MAX:
            return runtime_failure(f"The {field} parameter must be from 1 to {SECONDS_MAX}: {text} == {found}")
        return found

    return step


@dataclass(frozen=True, slots=True, kw_only=True)
class PassState(State):
    """``literal`` is a one-tuple of the document's ``Result``, or None: a Result may itself be null."""

    kind: ClassVar[str] = "Pass"
    literal: tuple[Any] | None = None

    def result_of(self, effective: Any) -> Any:
        """The literal ``Result`` (keys ending in ``.$`` mean nothing in it), else the effective input."""
        return effective if self.literal is None else self.literal[0]


@dataclass(frozen=True, slots=True)
class Rule:
    """``leaving``: the Choice as this rule leaves it, with the rule's own Assign and Output; None where neither has any."""

    test: Test
    next: str
    leaving: State | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceState(State):
    """The first rule that holds chooses; ``next`` is always None."""

    kind: ClassVar[str] = "Choice"
    rules: tuple[Rule, ...]
    default: str | None = None

    def choose(self, effective: Any, context: Any) -> tuple[str, State] | Failure:
        """The name of the next state, and the Choice as it is left: with the Assign and Output that count."""
        try:
            for rule in self.rules:
                if rule.test(effective, context):
                    return rule.next, self if rule.leaving is None else rule.leaving
        except Stop as stop:
            return stop.failure
        if self.default is None:
            # The specification says States.NoChoiceMatched; Step Functions reserves that name and says this.
            return runtime_failure("Failed to transition out of the state. The state does not point to a next state.")
        return self.default, self


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitState(State):
    """One of the six is given: ``seconds``, ``at_ms`` (since 1970), a path with its text for messages, or an expression."""

    kind: ClassVar[str] = "Wait"
    seconds: int | None = None
    at_ms: int | None = None
    seconds_path: tuple[Step, str] | None = None
    timestamp_path: tuple[Step, str] | None = None
    seconds_expression: Step | None = None
    timestamp_expression: Step | None = None

    def until_ms(self, effective: Any, now_ms: int, context: Any) -> int | Failure:
        """When the wait ends, in milliseconds since 1970: ``now_ms`` where that time is past."""
        if self.seconds is not None:
            return now_ms + self.seconds * 1000
        if self.at_ms is not None:
            return _bounded(self.at_ms, now_ms)
        if self.seconds_path is not None:
            step, text = self.seconds_path
            value = step(effective, context)
            if value.__class__ is Failure:
                return runtime_failure(f"The SecondsPath parameter does not reference an input value: {text}")
            if value.__class__ is not int:
                return runtime_failure(f"The SecondsPath parameter cannot be parsed as a long value: {text} == {as_java(value)}")
            if value < 0:
                return runtime_failure(f"The SecondsPath parameter references a negative value: {text} == {value}")
            return _bounded(now_ms + value * 1000, now_ms)
        if self.seconds_expression is not None:
            value = self.seconds_expression(effective, context)
            return value if value.__class__ is Failure else _bounded(now_ms + int(value) * 1000, now_ms)
        if self.timestamp_expression is not None:
            value = self.timestamp_expression(effective, context)
            if value.__class__ is Failure:
                return value
            nanoseconds = parse_timestamp(value)
            if nanoseconds is None:
                cause = f"The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {as_java(value)}"
                return query_failure(cause, "Timestamp")
            return _bounded(-(-nanoseconds // 1_000_000), now_ms)
        assert self.timestamp_path is not None  # the reader lets no Wait pass without one of the six
        step, text = self.timestamp_path
        value = step(effective, context)
        if value.__class__ is Failure:
            return runtime_failure(f"The TimestampPath parameter does not reference an input value: {text}")
        nanoseconds = parse_timestamp(value)
        if nanoseconds is None:
            return runtime_failure(
                "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: "
                f"{text} == {as_java(value)}"
            )
        return _bounded(-(-nanoseconds // 1_000_000), now_ms)  # rounded up: a wait never ends early


def _bounded(at_ms: int, now_ms: int) -> int | Failure:
    if at_ms - now_ms > WAIT_S_MAX * 1000:
        return runtime_failure("Wait state delay is too long.")
    return max(at_ms, now_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class SucceedState(State):
    """Ends the machine or the branch with its input."""

    kind: ClassVar[str] = "Succeed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailState(State):
    """Ends the flow. ``error`` and ``cause``: a text, a step with its path's text, or None."""

    kind: ClassVar[str] = "Fail"
    error: str | tuple[Step, str] | None = None
    cause: str | tuple[Step, str] | None = None

    def failure(self, raw: Any, context: Any) -> Failure:
        """The flow's error and cause; ``States.Runtime`` where a path finds no text."""
        error = _text("ErrorPath", self.error, raw, context)
        if isinstance(error, Failure):
            return error
        cause = _text("CausePath", self.cause, raw, context)
        return cause if isinstance(cause, Failure) else Failure(error, cause)


def _text(field: str, given: str | tuple[Step, str] | None, raw: Any, context: Any) -> str | Failure | None:
    if given is None or isinstance(given, str):
        return given
    step, text = given
    value = step(raw, context)
    if isinstance(value, Failure):
        if value.error == RUNTIME:
            return runtime_failure(f"The {field} parameter does not reference an input value: {text}")
        return value
    if not isinstance(value, str):
        return runtime_failure(f"The {field} parameter must reference a string: {text} == {as_java(value)}")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelState(State):
    """``branches``: the name of each branch's first state, in order. Branches get the effective input; the result lists their outputs."""

    kind: ClassVar[str] = "Parallel"
    has_result: ClassVar[bool] = True
    branches: tuple[str, ...]
    detached: bool = False  # the flow goes on at once; a Join takes the outputs
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()
