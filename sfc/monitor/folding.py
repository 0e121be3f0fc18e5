"""A run's history for people: a payload is written once, here it is put back where it is looked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sfc.engine import events as e
from sfc.engine.evolve import evolve
from sfc.engine.flow import Flow
from sfc.wire.history import plain


def fold(events: Iterable[e.AnyEvent]) -> list[dict[str, Any]]:
    """Events as plain values, in order, each with ``name``; StateEntered with ``input`` and StateExited with ``output``, those of
    signals with the ``signal``.

    Where the beginning is missing (the log has dropped it) payloads are given only as far as the events themselves have them.
    """
    flow: Flow | None = None
    whole = True
    shown: list[dict[str, Any]] = []
    expected_seq = 1
    for event in events:
        whole = whole and event.seq == expected_seq
        expected_seq += 1
        if whole:
            flow = evolve(flow, event)
        row = plain(event)
        if isinstance(event, e.SignalReceived | e.SignalTaken):
            row["signal"] = row.pop("name")
        row = {"name": e.name_of(event), **row}
        if whole and flow is not None:
            if isinstance(event, e.StateEntered):
                row["input"] = flow.branches[event.branch].data
            elif isinstance(event, e.StateExited):
                row["output"] = flow.branches[event.branch].data
        shown.append(row)
    return shown
