"""Halves of surrogate pairs: JSON can spell one (``"\\ud800"``), and nothing can write it as UTF-8."""

from __future__ import annotations

from typing import Any

from sfc.asl.checks import at
from sfc.errors import Problem

_HINT = "Write the character itself, or both halves of its pair (\\ud83d\\ude00)."


def lone_surrogates(document: Any) -> list[Problem]:
    """One problem for each text and each name with one in it, in the order of the document; inside what is named so nothing is looked at.
    Pointers can be written."""
    found: list[Problem] = []
    open_ones: list[tuple[str, Any]] = [("", document)]
    while open_ones:
        pointer, value = open_ones.pop()
        if isinstance(value, str):
            if not _writable(value):
                found.append(Problem("not-json", pointer, f"expected text, came half of a surrogate pair in {_shown(value)}", _HINT))
        elif isinstance(value, list):
            open_ones += [(at(pointer, index), item) for index, item in reversed(list(enumerate(value)))]
        elif isinstance(value, dict):
            for name in value:
                if isinstance(name, str) and not _writable(name):
                    message = f"expected text, came half of a surrogate pair in the name {_shown(name)}"
                    found.append(Problem("not-json", pointer, message, _HINT))
            named = [(name, item) for name, item in value.items() if not isinstance(name, str) or _writable(name)]
            open_ones += [(at(pointer, name), item) for name, item in reversed(named)]
    return found


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(text: str) -> str:
    shown = ascii(text)
    return shown if len(shown) <= 60 else shown[:57] + "…"
