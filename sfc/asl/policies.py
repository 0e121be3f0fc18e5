"""Reads ``ResultPath``, ``Retry`` and ``Catch``."""

from __future__ import annotations

from typing import Any

from sfc.asl.checks import Checks, at, did_you_mean
from sfc.asl.failure import Failure, as_json
from sfc.asl.jsonata import ERROR_OUTPUT
from sfc.asl.jsonpath import PathError, compile_reference_path
from sfc.asl.retry import ALL, DELAY_S_MAX, Catcher, Retrier
from sfc.asl.states import SECONDS_MAX, Merge
from sfc.asl.values import read_value
from sfc.asl.variables import read_assign

RETRIER = ("ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy", "Comment")
CATCHER = ("ErrorEquals", "Next", "Assign", "ResultPath", "Comment")
CATCHER_JSONATA = ("ErrorEquals", "Next", "Assign", "Output", "Comment")
RESERVED = (
    "States.ALL", "States.HeartbeatTimeout", "States.Timeout", "States.TaskFailed", "States.Permissions", "States.ResultPathMatchFailure",
    "States.ParameterPathFailure", "States.QueryEvaluationError", "States.BranchFailed", "States.NoChoiceMatched",
    "States.IntrinsicFailure", "States.ExceedToleratedFailureThreshold", "States.ItemReaderFailed", "States.ResultWriterFailed",
    "States.Runtime", "States.DataLimitExceeded", "States.Http.Socket",
)  # fmt: skip


def read_result_path(checks: Checks, document: dict[str, Any], pointer: str) -> Merge | None:
    """How a result gets into the raw input; None for ``$``, where the result takes its place."""
    if "ResultPath" not in document:
        return None
    text, here = document["ResultPath"], at(pointer, "ResultPath")
    if text is None:
        return lambda raw, result: raw
    if not isinstance(text, str):
        checks.wrong_type(here, "a reference path or null", text)
        return None
    try:
        path = compile_reference_path(text)
    except PathError as error:
        checks.error(error.code, here, str(error))
        return None
    if not path.steps:
        return None

    def merge(raw: Any, result: Any) -> Any:
        try:
            return path.put(raw, result)
        except TypeError:
            return Failure("States.ResultPathMatchFailure", f"Unable to apply ReferencePath {text} to input {as_json(raw)}")

    return merge


def read_retry(checks: Checks, value: Any, pointer: str) -> tuple[Retrier, ...]:
    """``Retry``: a list of retriers."""
    read = [_retrier(checks, item, at(pointer, number)) for number, item in enumerate(_listed(checks, value, pointer))]
    _all_is_last(checks, value, pointer)
    return tuple(retrier for retrier in read if retrier is not None)


def _listed(checks: Checks, value: Any, pointer: str) -> list[Any]:
    if isinstance(value, list):
        return value
    checks.wrong_type(pointer, "a list", value)
    return []


def _retrier(checks: Checks, item: Any, pointer: str) -> Retrier | None:
    document = checks.object(item, pointer, "a retrier")
    if document is None:
        return None
    checks.known(document, RETRIER, "a retrier", pointer)
    errors = _errors(checks, document, pointer)
    interval = checks.integer(document, "IntervalSeconds", pointer, 1)
    attempts = checks.integer(document, "MaxAttempts", pointer, 0)
    longest = checks.integer(document, "MaxDelaySeconds", pointer, 1, DELAY_S_MAX - 1)
    interval = 1 if interval is None else interval
    if longest is not None and longest <= interval:
        checks.error("out-of-range", at(pointer, "MaxDelaySeconds"), f"expected more than IntervalSeconds ({interval}), came {longest}")
    rate = document.get("BackoffRate", 2.0)
    if isinstance(rate, bool) or not isinstance(rate, (int, float)):
        checks.wrong_type(at(pointer, "BackoffRate"), "a number", rate)
        rate = 2.0
    elif not 1 <= rate <= SECONDS_MAX:
        checks.error("out-of-range", at(pointer, "BackoffRate"), f"expected a number from 1 to {SECONDS_MAX}, came {rate}")
        rate = 2.0
    strategy = document.get("JitterStrategy", "NONE")
    if strategy not in ("FULL", "NONE"):
        checks.error("bad-value", at(pointer, "JitterStrategy"), f"expected FULL or NONE, came {as_json(strategy)}")
    return Retrier(errors, interval, 3 if attempts is None else attempts, float(rate), longest, strategy == "FULL")


def read_catch(checks: Checks, value: Any, pointer: str, *, jsonata: bool = False) -> tuple[tuple[Catcher, ...], list[tuple[Any, str]]]:
    """``Catch``: catchers, and the targets of their transitions with their pointers, for the caller to check."""
    catchers: list[Catcher] = []
    targets: list[tuple[Any, str]] = []
    for number, item in enumerate(_listed(checks, value, pointer)):
        here = at(pointer, number)
        document = checks.object(item, here, "a catcher")
        if document is None:
            continue
        checks.known(document, CATCHER_JSONATA if jsonata else CATCHER, "a catcher", here)
        errors = _errors(checks, document, here)
        merge = None if jsonata else read_result_path(checks, document, here)
        answer = None
        if jsonata and "Output" in document:
            answer = read_value(checks, document["Output"], at(here, "Output"), f"Catch[{number}]/Output", ERROR_OUTPUT)
        assign = read_assign(checks, document, here, f"Catch[{number}]/Assign", jsonata=jsonata, members=ERROR_OUTPUT)
        if checks.required(document, "Next", here, "Write the name of the state that goes on."):
            targets.append((document["Next"], at(here, "Next")))
            if isinstance(document["Next"], str):
                catchers.append(Catcher(errors, document["Next"], merge, jsonata, answer, assign))
    _all_is_last(checks, value, pointer)
    return tuple(catchers), targets


def _errors(checks: Checks, document: dict[str, Any], pointer: str) -> tuple[str, ...]:
    if not checks.required(document, "ErrorEquals", pointer, 'Write the errors that it takes, as in ["States.Timeout"].'):
        return ()
    names, here = document["ErrorEquals"], at(pointer, "ErrorEquals")
    if not isinstance(names, list) or not names:
        checks.wrong_type(here, "a list with at least one error name", names)
        return ()
    for number, name in enumerate(names):
        if not isinstance(name, str):
            checks.wrong_type(at(here, number), "an error name (a text)", name)
        elif name.startswith("States.") and name not in RESERVED:
            hint = did_you_mean(name, RESERVED)
            checks.warning("unknown-error", at(here, number), f"expected one of the language's error names, came {name!r}", hint)
    if ALL in names and len(names) > 1:
        checks.error("states-all-alone", here, f"expected {ALL} alone in its list, came it with others", "Give it an entry of its own.")
    return tuple(name for name in names if isinstance(name, str))


def _all_is_last(checks: Checks, value: Any, pointer: str) -> None:
    """An entry behind ``States.ALL`` would never be asked."""
    for number, item in enumerate(value[:-1] if isinstance(value, list) else []):
        names = item.get("ErrorEquals") if isinstance(item, dict) else None
        if isinstance(names, list) and ALL in names:
            where = at(pointer, number, "ErrorEquals")
            checks.error(
                "states-all-last", where, f"expected {ALL} in the last entry only, came it with entries behind", "Move it to the end."
            )
