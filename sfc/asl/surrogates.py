"""What no JSON text can carry: halves of surrogate pairs, which JSON can spell (``"\\ud800"``) and nothing can write as UTF-8; and what a
reader of YAML makes where JSON has nothing of the kind, as the name ``True`` of ``Yes:``, or a date."""

from __future__ import annotations

from typing import Any

from sfc.asl.checks import at
from sfc.errors import Problem

_HINT = "Write the character itself, or both halves of its pair (\\ud83d\\ude00)."
_QUOTE = "Put it in quotation marks: readers of YAML take some words, numbers and dates for something else than text."


def lone_surrogates(document: Any) -> list[Problem]:
    """One problem for each text and each name with one in it, for each name that is no text, and for each value that JSON does not have, in
    the order of the document; inside what is named so nothing is looked at. Pointers can be written."""
    found: list[Problem] = []
    open_ones: list[tuple[str, Any]] = [("", document)]
    while open_ones:
        pointer, value = open_ones.pop()
        if isinstance(value, str):
            if not _writable(value):
                found.append(Problem("not-json", pointer, f"expected text, came half of a surrogate pair in {_shown(value)}", _HINT))
        elif isinstance(value, (list, tuple)):
            open_ones += [(at(pointer, index), item) for index, item in reversed(list(enumerate(value)))]
        elif isinstance(value, dict):
            named: list[tuple[str, Any]] = []
            for name, item in value.items():
                if not isinstance(name, str):
                    found.append(Problem("not-json", pointer, f"expected a text as each name, came {_shown(name)}", _QUOTE))
                elif not _writable(name):
                    message = f"expected text, came half of a surrogate pair in the name {_shown(name)}"
                    found.append(Problem("not-json", pointer, message, _HINT))
                else:
                    named.append((at(pointer, name), item))
            open_ones += reversed(named)
        elif value is not None and not isinstance(value, (int, float)):
            found.append(Problem("not-json", pointer, f"expected a value that JSON has, came {_shown(value)}", _QUOTE))
    return found


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: Any) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 60 else shown[:57] + "…"
