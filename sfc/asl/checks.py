"""What every reader of a part of a document needs: to note a problem and go on, and to read typed fields."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any

from sfc.asl.failure import as_json, runtime_failure
from sfc.asl.intrinsics import compile_intrinsic
from sfc.asl.jsonpath import MISSING, Path, PathError, compile_path
from sfc.asl.states import SECONDS_MAX, Step
from sfc.errors import Problem


def at(pointer: str, *tokens: str | int) -> str:
    """A JSON pointer (RFC 6901) further down."""
    return pointer + "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in tokens)


def nearest(word: Any, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6) if isinstance(word, str) else []
    return by_lower[near[0]] if near else None


def did_you_mean(word: Any, known: Iterable[str]) -> str:
    """A hint naming the nearest known word, or all of them when they are few, or ''."""
    words = list(known)
    near = nearest(word, words)
    if near is not None:
        return f"Did you mean {near!r}?"
    return f"Known here: {', '.join(words)}." if 0 < len(words) <= 12 else ""


def came(value: Any) -> str:
    """A value as messages show it."""
    text = as_json(value)
    return f"came {text if len(text) <= 60 else text[:57] + '…'}"


class Checks:
    """Collects problems. Readers give None for what they can't read; a document with an error is never run.

    ``scoped``: what is read belongs to a state, which has variables and chance.
    """

    def __init__(self, *, scoped: bool = True) -> None:
        self.problems: list[Problem] = []
        self.scoped = scoped

    def error(self, code: str, pointer: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(code, pointer, message, hint))

    def warning(self, code: str, pointer: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(code, pointer, message, hint, "warning"))

    def not_yet(self, pointer: str, what: str, hint: str = "") -> None:
        self.error("not-yet", pointer, f"{what} not yet supported", hint)

    def wrong_type(self, pointer: str, wanted: str, value: Any) -> None:
        self.error("wrong-type", pointer, f"expected {wanted}, {came(value)}")

    def object(self, value: Any, pointer: str, what: str) -> dict[str, Any] | None:
        if isinstance(value, dict):
            return value
        self.wrong_type(pointer, f"{what} (an object)", value)
        return None

    def required(self, document: dict[str, Any], field: str, pointer: str, hint: str = "") -> bool:
        if field in document:
            return True
        self.error("missing-field", pointer, f"expected the field {field!r}, which is missing", hint)
        return False

    def known(self, document: dict[str, Any], fields: tuple[str, ...], what: str, pointer: str) -> None:
        """A problem for each field that ``what`` has not got."""
        for field in document:
            if field not in fields:
                self.unknown(field, fields, what, pointer)

    def unknown(self, field: str, fields: tuple[str, ...], what: str, pointer: str) -> None:
        self.error("unknown-field", at(pointer, field), f"expected a field of {what}, came {field!r}", did_you_mean(field, fields))

    def one_at_most(self, document: dict[str, Any], fields: tuple[str, ...], pointer: str) -> list[str]:
        """Those of the fields that are given; a problem where they are several."""
        given = [field for field in fields if field in document]
        if len(given) > 1:
            self.error("mutually-exclusive", pointer, f"expected at most one of {', '.join(fields)}, came {' and '.join(given)}")
        return given

    def name(self, value: Any, pointer: str) -> bool:
        """Whether a value can be the name of a state."""
        if not isinstance(value, str):
            self.wrong_type(pointer, "the name of a state", value)
        return isinstance(value, str)

    def text(self, document: dict[str, Any], field: str, pointer: str) -> str | None:
        value = document.get(field)
        if field in document and not isinstance(value, str):
            self.wrong_type(at(pointer, field), "a text", value)
            return None
        return value

    def integer(self, document: dict[str, Any], field: str, pointer: str, least: int, most: int = SECONDS_MAX) -> int | None:
        """A whole number from ``least`` to ``most``; 5.0 is one, true is none."""
        if field not in document:
            return None
        value = document[field]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong_type(at(pointer, field), "a whole number", value)
            return None
        if not least <= value <= most:
            self.error("out-of-range", at(pointer, field), f"expected a number from {least} to {most}, came {value}")
            return None
        return value

    def path(self, value: Any, pointer: str, *, definite: bool = False) -> Path | None:
        """A path; with ``definite`` only one that names a single place."""
        if not isinstance(value, str):
            self.wrong_type(pointer, "a path (a text beginning with $)", value)
            return None
        try:
            path = compile_path(value, variables=self.scoped)
        except PathError as error:
            self.error(error.code, pointer, str(error))
            return None
        if definite and not path.definite:
            self.error("bad-path", pointer, f"expected a reference path, which names one place, came {value}", "Write one like $.a.b[0].")
            return None
        return path

    def step(self, value: Any, pointer: str, *, definite: bool = False) -> Step | None:
        """A path as a step that fails with ``States.Runtime`` where it finds nothing."""
        path = self.path(value, pointer, definite=definite)
        return None if path is None else path_step(path)

    def step_or_intrinsic(self, value: Any, pointer: str) -> Step | None:
        """A path or an intrinsic function."""
        if not isinstance(value, str) or not value.startswith("States."):
            return self.step(value, pointer)
        try:
            return compile_intrinsic(value, pointer, scoped=self.scoped)
        except PathError as error:
            self.error(error.code, pointer, str(error))
            return None


def path_step(path: Path) -> Step:
    """A closure that finds, or fails as Step Functions does."""
    find: Callable[[Any, Any], Any] = path.find
    if not path.definite and not path.root:
        return find

    def step(value: Any, context: Any) -> Any:
        found = find(value, context)
        if found is MISSING:
            return runtime_failure(f"Invalid path '{path.text}' : {path.why_missing(value, context)}")
        return found

    return step
