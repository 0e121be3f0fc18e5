"""Errors over HTTP (RFC 9457, application/problem+json): one table from sfc.errors to codes and back."""

from __future__ import annotations

from typing import Any, NamedTuple

from sfc.errors import (
    BadInput,
    IndexFailed,
    IndexUnavailable,
    InvalidDocument,
    LogError,
    LogUnavailable,
    NoAnswer,
    NotAllowed,
    NotAuthenticated,
    NotPossible,
    Problem,
    RecordTooLarge,
    RegistryError,
    RegistryUnavailable,
    SfcError,
    ShardStopped,
    TopicMismatch,
    TopicMissing,
    UnknownName,
)

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:sfc:problem:"


class Kind(NamedTuple):
    """One row: what is raised, the last word of its ``type``, the HTTP status and the title."""

    error: type[SfcError]
    code: str
    status: int
    title: str


KINDS = (  # the first row whose class fits; so the special ones come first
    Kind(InvalidDocument, "invalid-document", 422, "The document can't be accepted"),
    Kind(UnknownName, "unknown-name", 404, "There is nothing of that name"),
    Kind(NotPossible, "not-possible", 409, "Not possible in the present state"),
    Kind(NotAuthenticated, "not-authenticated", 401, "A key is needed"),
    Kind(NotAllowed, "not-allowed", 403, "Not allowed"),
    Kind(BadInput, "bad-input", 400, "The request can't be understood"),
    Kind(RecordTooLarge, "too-large", 413, "Too large"),
    Kind(LogUnavailable, "log-unavailable", 503, "The log does not answer"),
    Kind(TopicMissing, "topic-missing", 503, "A topic is missing"),
    Kind(TopicMismatch, "topic-mismatch", 503, "A topic would break a promise"),
    Kind(LogError, "log-error", 503, "The log refused or failed"),
    Kind(NoAnswer, "no-answer", 504, "No answer in time"),
    Kind(ShardStopped, "shard-stopped", 503, "A shard has stopped"),
    Kind(RegistryUnavailable, "registry-unavailable", 503, "The registry's database does not answer"),
    Kind(RegistryError, "registry-error", 503, "The registry's database refused or failed"),
    Kind(IndexUnavailable, "index-unavailable", 503, "The flow index does not answer"),
    Kind(IndexFailed, "index-failed", 503, "The flow index refused or failed"),
    Kind(SfcError, "internal", 500, "Something went wrong"),
)


def kind_of(error: SfcError) -> Kind:
    """The row of an error."""
    return next(kind for kind in KINDS if isinstance(error, kind.error))


def problem_body(kind: Kind, detail: str, instance: str, *, status: int = 0, title: str = "", hint: str = "") -> dict[str, Any]:
    """The members of a problem document; ``problems`` is the caller's to add."""
    body: dict[str, Any] = {
        "type": _TYPE + kind.code,
        "title": title or kind.title,
        "status": status or kind.status,
        "detail": detail,
        "instance": instance,
    }
    return {**body, "hint": hint} if hint else body


def problem_of(error: SfcError, instance: str) -> dict[str, Any]:
    """An error as a problem document. Of an invalid document all ``problems`` are listed."""
    body = problem_body(kind_of(error), error.message, instance, hint=error.hint)
    if isinstance(error, InvalidDocument):
        body["problems"] = [problem._asdict() for problem in error.problems]
    return body


def error_of(status: int, body: Any) -> SfcError:
    """The error that a problem document stands for; of anything else an SfcError with the status."""
    if not isinstance(body, dict) or "detail" not in body:
        return SfcError(f"an HTTP answer {status} that no gateway of SFC gives", hint="is SFC_URL the address of the gateway?")
    detail, hint = str(body["detail"]), str(body.get("hint", ""))
    code = str(body.get("type", "")).removeprefix(_TYPE)
    kind = next((k for k in KINDS if k.code == code), KINDS[-1])
    if kind.error is InvalidDocument:
        problems = [Problem(**{k: v for k, v in p.items() if k in Problem._fields}) for p in body.get("problems", [])]
        error = InvalidDocument("the document", problems)
        error.message, error.args, error.hint = detail, (detail,), hint
        return error
    return kind.error(detail, hint=hint)
