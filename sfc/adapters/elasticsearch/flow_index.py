"""The flow index on Elasticsearch, behind ``sfc.ports.RebuildableIndex``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from elasticsearch import BadRequestError, Elasticsearch, NotFoundError

from sfc.adapters.elasticsearch import documents, queries
from sfc.adapters.elasticsearch import templates as t
from sfc.adapters.elasticsearch.batch import Batch
from sfc.adapters.elasticsearch.bulk import Bulk
from sfc.adapters.elasticsearch.generations import Generations
from sfc.adapters.elasticsearch.server import Server
from sfc.engine.events import AnyEvent
from sfc.errors import BadInput, IndexReplaced
from sfc.monitor.folding import fold
from sfc.monitor.paging import check_limit, make_cursor, read_cursor
from sfc.monitor.sums import check_slices, slices, statistics
from sfc.monitor.taking import Known
from sfc.ports import (
    DeadLetterDocument,
    DeadLetterMark,
    DeadLetterPage,
    FlowDocument,
    FlowIndex,
    FlowPage,
    FlowQuery,
    IndexCounters,
    Partition,
    Statistics,
    Throughput,
)
from sfc.wire.history import HistoryRecord

GENERATION_S = 1.0  # how long a reader goes by the generation that it has asked for
HISTORY_PAGE = 100
PARTITIONS_MAX = 10_000

_decode_events = msgspec.json.Decoder(list[AnyEvent]).decode


class ElasticsearchFlowIndex:
    """Connects when it is first asked. What is written is found after the server's next refresh, within a second; with ``refresh``
    at once, at the cost of throughput. ``generation``: one that is being built; default: the one that counts."""

    def __init__(
        self,
        url: str,
        namespace: str,
        *,
        api_key: str = "",
        generation: str = "",
        refresh: bool = False,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._again: Callable[[str], ElasticsearchFlowIndex] = lambda g: ElasticsearchFlowIndex(
            url, namespace, api_key=api_key, generation=g, refresh=refresh
        )
        self._server = Server(url, api_key)
        self._bulk = Bulk(self._server)
        self._generations = Generations(self._server, namespace)
        self._pinned = generation
        self._refresh = refresh
        self._monotonic_s = monotonic_s
        self._seen: tuple[float, str] = (0.0, "")  # until when readers go by which generation
        self._followed = ""  # the generation whose positions were asked for
        self._settled: set[Partition] = set()  # whose next records can't be there yet: this process wrote all before them

    def close(self) -> None:
        self._server.close()

    def index(
        self,
        records: Sequence[HistoryRecord],
        dead_letters: Sequence[DeadLetterDocument],
        positions: Mapping[Partition, int],
        marks: Sequence[DeadLetterMark] = (),
    ) -> None:
        generation = self._writing()

        def name(kind: str) -> str:
            return self._generations.name(kind, generation)

        certain = self._settled.issuperset(positions)
        self._settled -= positions.keys()
        batch = Batch(self._known(name(t.FLOWS), {record.flow for record in records}))
        batch.take(records)
        there = set() if certain else self._there(generation, batch.records)
        letters = [documents.letter_action(name(t.DEAD_LETTERS), letter) for letter in dead_letters]
        letters += [documents.mark_action(name(t.DEAD_LETTERS), mark) for mark in marks]
        self._bulk.send([*batch.added(name, there), *letters])
        self._bulk.send(batch.flows(name))
        self._bulk.send([documents.position_action(name(t.POSITIONS), at, offset) for at, offset in positions.items()])
        self._settled |= positions.keys()
        if self._refresh:
            self._make_searchable(*map(name, (*t.INDICES, t.EVENTS)))

    def positions(self) -> dict[Partition, int]:
        self._settled.clear()
        self._followed = self._pinned or self._generations.ensure()
        name = self._generations.name(t.POSITIONS, self._followed)
        self._make_searchable(name)
        found = self._search(t.POSITIONS, {"size": PARTITIONS_MAX}, self._followed)
        sources = (hit["_source"] for hit in found["hits"]["hits"])
        return {Partition(source["topic"], source["number"]): source["position"] for source in sources}

    def get(self, flow: str) -> FlowDocument | None:
        source = self._get(t.FLOWS, flow)
        return None if source is None else documents.flow_document(source)

    def find(self, query: FlowQuery) -> FlowPage:
        check_limit(query.limit)
        found = self._search(t.FLOWS, queries.flows_like(query))["hits"]["hits"]
        flows = [documents.flow_document(hit["_source"]) for hit in found[: query.limit]]
        more = len(found) > query.limit
        return FlowPage(flows, make_cursor(flows[-1].started_ms, flows[-1].flow) if more else "")

    def history(self, flow: str, run: int | None = None) -> list[dict[str, Any]]:
        if run is None:
            found = self._search(t.EVENTS, {"query": {"term": {"flow": flow}}, "sort": [{"run": "desc"}], "size": 1, "source": ["run"]})
            hits = found["hits"]["hits"]
            if not hits:
                return []
            run = hits[0]["_source"]["run"]
        return fold(self._events(flow, run))

    def runs(self, flow: str) -> list[int]:
        aggs = {"runs": {"terms": {"field": "run", "size": 100, "order": {"_key": "desc"}}}}
        found = self._search(t.EVENTS, {"query": {"term": {"flow": flow}}, "size": 0, "aggs": aggs}).get("aggregations")
        return [int(bucket["key"]) for bucket in found["runs"]["buckets"]] if found else []

    def statistics(self, blueprint: str | None = None) -> Statistics:
        only = queries.of_blueprint(blueprint)
        counts, buckets = queries.state_counts(self._rows(t.VISITS, queries.STATE_COUNTS, only))
        return statistics(queries.flow_counts(self._rows(t.FLOWS, queries.FLOW_COUNTS, only)), counts, buckets)

    def throughput(self, blueprint: str | None, from_ms: int, to_ms: int, step_ms: int) -> list[Throughput]:
        check_slices(from_ms, to_ms, step_ms)
        aggs = queries.throughput(from_ms, to_ms, step_ms)
        found = self._search(t.FLOWS, {"query": queries.of_blueprint(blueprint), "size": 0, "aggs": aggs}).get("aggregations")
        started, ended = queries.throughput_counts(found, from_ms, step_ms) if found else ({}, {})
        return slices(from_ms, to_ms, step_ms, started, ended)

    def dead_letters(self, limit: int = 50, cursor: str = "", state: str = "") -> DeadLetterPage:
        check_limit(limit)
        filters: list[dict[str, Any]] = [{"exists": {"field": "at_ms"}}]
        if state:
            filters.append({"term": {"state": state}})
        body: dict[str, Any] = {"query": {"bool": {"filter": filters}}, "sort": [{"at_ms": "desc"}, {"id": "desc"}], "size": limit + 1}
        if cursor:
            body["search_after"] = list(read_cursor(cursor))
        found = self._search(t.DEAD_LETTERS, body)["hits"]["hits"]
        letters = [documents.letter_document(hit["_source"]) for hit in found[:limit]]
        return DeadLetterPage(letters, make_cursor(letters[-1].at_ms, letters[-1].id) if len(found) > limit else "")

    def dead_letter(self, id: str) -> DeadLetterDocument | None:
        source = self._get(t.DEAD_LETTERS, documents.document_id(id))
        return documents.letter_document(source) if source is not None and "at_ms" in source else None

    def counters(self) -> IndexCounters:
        flows: dict[str, int] = {}
        paused = 0
        for row in queries.flow_counts(self._rows(t.FLOWS, queries.FLOW_COUNTS)):
            flows[row.status] = flows.get(row.status, 0) + row.flows
            paused += row.flows if row.held else 0
        shown = {"bool": {"filter": [{"exists": {"field": "at_ms"}}, {"term": {"state": "open"}}]}}
        dead = {row["key"]["reason"]: row["doc_count"] for row in self._rows(t.DEAD_LETTERS, queries.combinations("reason"), shown)}
        events = self._search(t.EVENTS, {"size": 0, "aggs": {"events": {"sum": {"field": "count"}}}}).get("aggregations")
        return IndexCounters(flows, paused, dead, int(events["events"]["value"]) if events else 0)

    def fresh(self) -> FlowIndex:
        """The next generation, which nobody sees yet."""
        return self._again(self._generations.make_next())

    def replace_by(self, fresh: FlowIndex) -> None:
        """Points the alias to the fresh one's generation. The one that it pointed to stays until the next time."""
        if not isinstance(fresh, ElasticsearchFlowIndex):
            raise TypeError("an index on Elasticsearch can only be replaced by one of its own")
        self._make_searchable(*(self._generations.name(kind, fresh._pinned) for kind in (*t.INDICES, t.EVENTS)))
        self._generations.switch(fresh._pinned)
        self._seen = (0.0, "")
        fresh.close()

    def _writing(self) -> str:
        """The generation to write to. Raises IndexReplaced when it is not the one whose positions were asked for."""
        if self._pinned:
            return self._pinned
        followed, found = self._followed, self._generations.current() if self._followed else None
        generation = self._followed = found or self._generations.ensure()
        if followed and followed != found:  # none is found where somebody has deleted it: then all begins anew
            self._settled.clear()
            raise IndexReplaced("the flow index has been rebuilt", hint="what was read since is read again")
        return generation

    def _reading(self) -> str:
        """The generation to read from; empty before there is one."""
        if self._pinned:
            return self._pinned
        until_s, generation = self._seen
        if not generation or self._monotonic_s() >= until_s:
            generation = self._generations.current() or ""
            self._seen = (self._monotonic_s() + GENERATION_S, generation)
        return generation

    def _known(self, index: str, flows: set[str]) -> dict[str, Known]:
        """As they are now, whether searchable or not."""
        if not flows:
            return {}

        def ask(es: Elasticsearch) -> list[dict[str, Any]]:
            return list(es.mget(index=index, ids=sorted(flows), source_includes=["document", "last", "open"])["docs"])

        found = self._server.patiently(ask, lambda docs: not any("error" in doc for doc in docs))
        return {doc["_id"]: documents.known_flow(doc["_source"]) for doc in found if doc["found"]}

    def _there(self, generation: str, records: Sequence[HistoryRecord]) -> set[str]:
        """Which of these records' events are in the stream. ``create`` finds a double only in the stream's newest index, so they are
        looked for after a start or a failure, when a former attempt may have written them."""
        if not records:
            return set()
        self._make_searchable(self._generations.name(t.EVENTS, generation))
        ids = [documents.events_id(record) for record in records]
        found: set[str] = set()
        for at in range(0, len(ids), PARTITIONS_MAX):
            part = ids[at : at + PARTITIONS_MAX]
            body = {"query": {"ids": {"values": part}}, "size": len(part), "source": False}
            found.update(hit["_id"] for hit in self._search(t.EVENTS, body, generation)["hits"]["hits"])
        return found

    def _make_searchable(self, *names: str) -> None:
        with self._server.asking() as es:
            es.indices.refresh(index=list(names), ignore_unavailable=True)

    def _get(self, kind: str, id_: str) -> dict[str, Any] | None:
        generation = self._reading()
        if not generation:
            return None

        def ask(es: Elasticsearch) -> dict[str, Any] | None:
            try:
                return dict(es.get(index=self._generations.name(kind, generation), id=id_)["_source"])
            except NotFoundError:
                return None

        return self._server.patiently(ask)

    def _search(self, kind: str, body: dict[str, Any], generation: str = "") -> dict[str, Any]:
        """An index that is not there yet answers like an empty one, without aggregations."""
        generation = generation or self._reading()
        if not generation:
            return {"hits": {"hits": []}}
        name = self._generations.name(kind, generation)

        def ask(es: Elasticsearch) -> dict[str, Any]:
            try:
                return dict(es.search(index=name, ignore_unavailable=True, track_total_hits=False, **body))
            except BadRequestError as e:  # all but the values is ours: a time or a text beyond what Elasticsearch takes
                raise BadInput(
                    f"Elasticsearch can't answer this query: {e.error}", hint="ask for less: a shorter text, a nearer time"
                ) from e

        return self._server.patiently(ask)

    def _rows(self, kind: str, aggregation: dict[str, Any], query: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """All rows of a composite aggregation, page by page."""
        after: dict[str, Any] = {}
        while True:
            composite = {**aggregation["composite"], **after}
            body = {"size": 0, "query": query or {"match_all": {}}, "aggs": {"rows": {**aggregation, "composite": composite}}}
            found = self._search(kind, body).get("aggregations")
            if not found:
                return
            yield from found["rows"]["buckets"]
            if "after_key" not in found["rows"]:
                return
            after = {"after": found["rows"]["after_key"]}

    def _events(self, flow: str, run: int) -> Iterator[AnyEvent]:
        """Of a run, in order."""
        query = {"bool": {"filter": [{"term": {"flow": flow}}, {"term": {"run": run}}]}}
        after: dict[str, Any] = {}
        while True:
            body = {"query": query, "sort": [{"first": "asc"}], "size": HISTORY_PAGE, "source": ["events"], **after}
            hits = self._search(t.EVENTS, body)["hits"]["hits"]
            for hit in hits:
                yield from _decode_events(hit["_source"]["events"])
            if len(hits) < HISTORY_PAGE:
                return
            after = {"search_after": hits[-1]["sort"]}
