"""How long the texts of what is asked may be; payloads have a limit of their own, and errors, causes, reasons and traces are the engine's
to cut."""

from __future__ import annotations

from msgspec import Struct

TEXT_CHARACTERS_MAX = 1_000  # ids, names and addresses: many stand in the flow's state
_OTHERWISE = ("input", "output", "error", "cause", "reason", "traceparent")


def long_text(command: Struct) -> str:
    """The field whose text is too long, of the command or of what stands in it; "" where there is none."""
    for name in command.__struct_fields__:
        value = getattr(command, name)
        if isinstance(value, Struct):
            if long_text(value):
                return name
        elif isinstance(value, str) and name not in _OTHERWISE and len(value) > TEXT_CHARACTERS_MAX:
            return name
    return ""
