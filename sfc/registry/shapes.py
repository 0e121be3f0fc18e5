"""Checking plain JSON values field by field: every problem at once, each with its pointer and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from sfc.errors import Problem

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}").fullmatch
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}").fullmatch
NAME_RULE = "lower-case letters, digits and hyphens, at most 63, the first no hyphen"


def join(pointer: str, key: str | int) -> str:
    """A JSON pointer one step further (RFC 6901)."""
    return f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), 1)
    return f"Did you mean {close[0]!r}?" if close else ""


def shown(value: Any) -> str:
    """A value for a message, cut short."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class Checks:
    """Collects problems. Each check returns the value when it is right, else None."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, code: str, pointer: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(code, pointer, message, hint))

    def not_yet(self, pointer: str, what: str, hint: str = "") -> None:
        self.add("not-yet", pointer, f"{what} is not yet supported.", hint or "Leave it out.")

    def fields(self, value: Any, pointer: str, known: Iterable[str], required: Iterable[str] = ()) -> dict[str, Any]:
        """The value as an object with no fields but ``known``; {} when it is none."""
        if not isinstance(value, dict):
            self.add("wrong-type", pointer, f"expected an object, came {shown(value)}.")
            return {}
        names = list(known)
        for field in value:
            if field not in names:
                hint = did_you_mean(str(field), names) or f"Known here: {', '.join(names)}."
                self.add("unknown-field", join(pointer, field), f"{field} is not known here.", hint)
        for field in required:
            if field not in value:
                self.add("missing-field", join(pointer, field), f"{field} is missing.", f"Add {field}.")
        return value

    def absent(self, value: Mapping[str, Any], pointer: str, fields: Mapping[str, str]) -> None:
        """Fields that a later release will know, with what they are."""
        for field, what in fields.items():
            if field in value:
                self.not_yet(join(pointer, field), what)

    def text(self, value: Any, pointer: str) -> str | None:
        if not isinstance(value, str) or not value:
            self.add("wrong-type", pointer, f"expected text, came {shown(value)}.")
            return None
        return value

    def name(self, value: Any, pointer: str) -> str | None:
        if not isinstance(value, str) or not NAME(value):
            hint = ""
            if isinstance(value, str):
                better = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")[:63]
                hint = f"Write {better}." if better else ""
            self.add("bad-name", pointer, f"expected a name ({NAME_RULE}), came {shown(value)}.", hint)
            return None
        return value

    def topic(self, value: Any, pointer: str) -> str | None:
        if not isinstance(value, str) or not _TOPIC(value) or value in (".", ".."):
            self.add("bad-topic", pointer, f"expected the name of a topic (letters, digits, . _ -, at most 249), came {shown(value)}.")
            return None
        return value

    def one_of(self, value: Any, pointer: str, allowed: Iterable[str]) -> str | None:
        words = list(allowed)
        if value not in words:
            hint = did_you_mean(value, words) if isinstance(value, str) else ""
            self.add("wrong-value", pointer, f"expected {' or '.join(words)}, came {shown(value)}.", hint)
            return None
        return str(value)

    def seconds(self, value: Any, pointer: str) -> int | None:
        """AWS's range: 1 to 99,999,999."""
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 99_999_999:
            self.add("wrong-value", pointer, f"expected whole seconds from 1 to 99999999, came {shown(value)}.")
            return None
        return value

    def listing(self, value: Any, pointer: str) -> list[Any]:
        if not isinstance(value, list):
            self.add("wrong-type", pointer, f"expected a list, came {shown(value)}.")
            return []
        return value

    def http_url(self, value: Any, pointer: str) -> str | None:
        try:
            parts = urlsplit(value) if isinstance(value, str) else None
            good = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            good = False
        if not good:
            self.add("bad-url", pointer, f"expected a URL (http://host/path or https://…), came {shown(value)}.")
            return None
        return str(value)

    def compiles(self, value: Any, pointer: str, compile_: Callable[[str], Any], what: str) -> None:
        """``compile_`` raises ValueError that says what is wrong."""
        if not isinstance(value, str):
            self.add("wrong-type", pointer, f"expected {what}, came {shown(value)}.")
            return
        try:
            compile_(value)
        except ValueError as e:
            self.add("bad-expression", pointer, f"expected {what}: {e}.".replace("..", "."))
