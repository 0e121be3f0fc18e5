"""Retriers and catchers: which errors they take, how long to wait, where to go on. Nothing sleeps here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sfc.asl.failure import RUNTIME, Failure

ALL = "States.ALL"
TASK_FAILED = "States.TaskFailed"
TIMEOUT = "States.Timeout"
DELAY_S_MAX = 31_622_400  # Step Functions' limit of MaxDelaySeconds is below a year: no delay without one grows past that either


def error_matches(names: tuple[str, ...], error: str | None) -> bool:
    """Whether ``ErrorEquals`` takes an error.

    As Step Functions does: ``States.TaskFailed`` takes every name but ``States.Timeout``; a task that failed without a name
    is taken by ``States.ALL`` and ``States.TaskFailed``; nothing takes ``States.Runtime``, which always ends the flow.
    """
    if error == RUNTIME:
        return False
    return ALL in names or (error is not None and error in names) or (TASK_FAILED in names and error != TIMEOUT)


@dataclass(frozen=True, slots=True)
class Retrier:
    """One entry of ``Retry``. Attempts are counted per retrier, by the engine."""

    errors: tuple[str, ...]
    interval_s: int = 1
    max_attempts: int = 3
    backoff_rate: float = 2.0
    max_delay_s: int | None = None
    jitter: bool = False

    def matches(self, error: str | None) -> bool:
        """See ``error_matches``."""
        return error_matches(self.errors, error)

    def delay_ms(self, attempt: int, draw: float = 1.0) -> int:
        """How long to wait before retry ``attempt`` (0 for the first), in milliseconds.

        ``draw`` (0 to 1) is the share of the delay that is waited with ``JitterStrategy: FULL``; NONE ignores it.
        """
        limit_s = DELAY_S_MAX if self.max_delay_s is None else self.max_delay_s
        try:
            seconds = min(limit_s, self.interval_s * self.backoff_rate**attempt)
        except OverflowError:
            seconds = limit_s
        return int(seconds * 1000 * draw) if self.jitter else int(seconds * 1000)


@dataclass(frozen=True, slots=True)
class Catcher:
    """One entry of ``Catch``. ``merge`` is its ``ResultPath``; None for ``$``, the default. ``answer`` is JSONata's ``Output``."""

    errors: tuple[str, ...]
    next: str
    merge: Callable[[Any, Any], Any] | None = None
    jsonata: bool = False
    answer: Callable[[Any, Any], Any] | None = None
    assign: Callable[[Any, Any], Any] | None = None

    def matches(self, error: str | None) -> bool:
        """See ``error_matches``."""
        return error_matches(self.errors, error)

    def output(self, raw: Any, error_output: dict[str, Any], context: Any) -> Any | Failure:
        """The next state's input: the error output ``{"Error", "Cause"}`` put into the state's raw input.

        The state's own ResultSelector, ResultPath and OutputPath are not applied. In JSONata the catcher's Output, whose context has
        the error output.
        """
        if self.answer is not None:
            return self.answer(raw, context)
        return error_output if self.merge is None else self.merge(raw, error_output)

    def assigned(self, raw: Any, error_output: dict[str, Any], context: Any) -> dict[str, Any] | Failure:
        """What ``Assign`` gives variables; asked only where there is one. In JSONPath its ``$`` is the error output."""
        assert self.assign is not None
        found: dict[str, Any] | Failure = self.assign(raw if self.jsonata else error_output, context)
        return found
