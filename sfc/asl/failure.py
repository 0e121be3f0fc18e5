"""Errors of the language as data: nothing in this package raises them to its callers."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

RUNTIME = "States.Runtime"
QUERY_EVALUATION = "States.QueryEvaluationError"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a state failed: ``error`` and ``cause`` as the flow shows them; None where nobody named one.

    ``runtime`` marks a failure of running the state itself (a path that finds nothing). Its cause lacks the place, which
    only the engine knows: see ``placed``. ``said`` is what the history and the flow's own end say where the cause itself must stay empty.
    ``location``: the field whose JSONata could not be evaluated, as in Output/total; '' for every other failure.
    """

    error: str | None
    cause: str | None
    runtime: bool = False
    said: str = ""
    location: str = ""

    def placed(self, state: str, entered_event: int) -> Failure:
        """The failure with the place that Step Functions puts before the cause; unchanged where there is none to put.

        ``entered_event`` is the number of the event by which the state was entered.
        """
        if not self.runtime:
            return self
        place = f"An error occurred while executing the state '{state}' (entered at the event id #{entered_event})."
        return replace(self, cause=f"{place} {self.cause}", runtime=False)


def runtime_failure(cause: str) -> Failure:
    """A ``States.Runtime`` failure whose place is still to be put (``Failure.placed``)."""
    return Failure(RUNTIME, cause, runtime=True)


def query_failure(cause: str, location: str) -> Failure:
    """A ``States.QueryEvaluationError``; its place too is still to be put."""
    return Failure(QUERY_EVALUATION, cause, runtime=True, location=location)


class Stop(Exception):
    """Leaves a deep evaluation with a failure; caught at the edge of this package's own functions."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.cause)
        self.failure = failure


def as_json(value: Any) -> str:
    """JSON text for messages."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def as_java(value: Any) -> str:
    """As Java prints it, and so Step Functions: texts bare, objects as ``{Arg1=1, Arg2=[]}``."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={as_java(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_java, value)) + "]"
    return as_json(value)
