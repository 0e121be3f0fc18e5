"""What a record changes, given what the index knows of its flow. Every adapter goes by it, so that all give the same answers."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from sfc.monitor.projection import OpenStates, Projection, project
from sfc.ports import FlowDocument
from sfc.wire.history import HistoryRecord


class Known(Struct):
    """A flow as the index has it. ``last``: the number of the last event that is in its history."""

    document: FlowDocument
    last: int
    open: OpenStates


class Taken(NamedTuple):
    """What the index knows after a record, and what the record adds."""

    known: Known
    projection: Projection


def take(known: Known | None, record: HistoryRecord) -> Taken | None:
    """None where the record is known already: the log is being read again. ``known.open`` is changed."""
    last = record.first + len(record.events) - 1
    if known is None or known.document.run != record.run:
        if known is not None and record.run < known.document.run:
            return None
        projection = project(record)
        return Taken(Known(projection.document, last, projection.open), projection)
    if not _news(known, record, last):
        return None
    projection = project(record, known.open)
    document = projection.document if projection.document.seq >= known.document.seq else known.document
    return Taken(Known(document, max(last, known.last), projection.open), projection)


def _news(known: Known, record: HistoryRecord, last: int) -> bool:
    """Whether a record of the same run has later events or, without events, is of a later time."""
    if record.events:
        return last > known.last
    return (record.summary.seq, record.summary.updated_ms) > (known.document.seq, known.document.updated_ms)
