"""Exit codes, and which error gives which. Documented in ``sfc --help``."""

from __future__ import annotations

from sfc.errors import (
    AccessRefused,
    BadInput,
    LogUnavailable,
    MalformedRecord,
    NotPossible,
    RecordTooLarge,
    RegistryUnavailable,
    TopicMissing,
    UnknownName,
)

OK = 0
FAILED = 1
USAGE = 2
BAD_INPUT = 3
NOT_FOUND = 4
NOT_POSSIBLE = 5
NO_ANSWER = 6
STILL_RUNNING = 7
NOT_ALLOWED = 8
FOUND = 9
INTERRUPTED = 130

EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 bad input, 4 not found, 5 not possible now, "
    "6 nobody answers (gateway or broker), 7 still running (start --wait), 8 not allowed (SFC_API_KEY), "
    "9 something was found (audit, doctor), 130 interrupted.\n\n"
    "--json prints one JSON document; lists, histories and streams print JSON Lines, one object a line.\n\n"
    "Settings are environment names, SFC_<NAME>: `sfc settings` shows them. SFC_DEBUG=1 shows tracebacks."
)


def code_of(error: BaseException) -> int:
    """The exit code of an error that ends a command."""
    match error:
        case KeyboardInterrupt():
            return INTERRUPTED
        case LogUnavailable() | RegistryUnavailable():
            return NO_ANSWER
        case UnknownName() | TopicMissing():
            return NOT_FOUND
        case AccessRefused():
            return NOT_ALLOWED
        case NotPossible():
            return NOT_POSSIBLE
        case BadInput() | MalformedRecord() | RecordTooLarge():
            return BAD_INPUT
    return NO_ANSWER if _is_transport_error(error) else FAILED


def _is_transport_error(error: BaseException) -> bool:
    """Whether no HTTP answer came. By name: importing httpx for it would cost every command its start-up."""
    return any(c.__module__.startswith("httpx") and c.__name__ == "TransportError" for c in type(error).__mro__)
