"""What one call of ``index`` writes, in an order that a kill at any moment does no harm to.

First what is only ever added (events, visits, dead letters), then the flows' documents, then the positions. A flow's document says up to
which event the rest is there: written before the rest, it would hide what is missing when the log is read again. All ids and versions come
from the log, so that a repetition finds its own documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sfc.adapters.elasticsearch import documents, templates
from sfc.adapters.elasticsearch.bulk import Action
from sfc.monitor.projection import Visit
from sfc.monitor.taking import Known, take
from sfc.ports import FlowDocument
from sfc.wire.history import HistoryRecord

Name = Callable[[str], str]  # from a kind of index to its name


class Batch:
    """``known``: the flows of the records, as the index has them."""

    def __init__(self, known: dict[str, Known]) -> None:
        self._known = known
        self._changed: set[str] = set()
        self._visits: dict[tuple[str, int, int], tuple[FlowDocument, Visit]] = {}
        self.records: list[HistoryRecord] = []  # whose events are not known yet

    def take(self, records: Iterable[HistoryRecord]) -> None:
        for record in records:
            taken = take(self._known.get(record.flow), record)
            if taken is None:
                continue
            self._known[record.flow] = taken.known
            self._changed.add(record.flow)
            if record.events:
                self.records.append(record)
            for visit in taken.projection.visits.values():
                self._visits[record.flow, record.run, visit.seq] = (taken.projection.document, visit)

    def added(self, name: Name, there: set[str]) -> list[Action]:
        """Events and visits. ``there``: ids of events that the stream has already."""
        stream, visits = name(templates.EVENTS), name(templates.VISITS)
        events = (documents.events_action(stream, record) for record in self.records)
        return [
            *(action for action in events if action.id not in there),
            *(documents.visit_action(visits, flow, visit) for flow, visit in self._visits.values()),
        ]

    def flows(self, name: Name) -> list[Action]:
        return [documents.flow_action(name(templates.FLOWS), self._known[flow]) for flow in self._changed]
