"""Queries and aggregations, as plain values, and what their answers mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sfc.monitor.paging import read_cursor
from sfc.monitor.sums import FlowCount, State, StateCount
from sfc.ports import FlowQuery

Body = dict[str, Any]

PAGE = 1_000  # combinations in one page of a composite aggregation


def flows_like(query: FlowQuery) -> Body:
    """The body of a search for a page of flows, newest start first; one more than asked for, to see whether more follow."""
    filters: list[Body] = []
    if query.status == "PAUSED":
        filters += [{"term": {"status": "RUNNING"}}, {"term": {"held": True}}]
    elif query.status:
        filters.append({"term": {"status": query.status}})
    for field, value in (("blueprint", query.blueprint), ("version", query.version), ("states", query.state), ("error", query.error)):
        if value:
            filters.append({"term": {field: value}})
    if query.started_from_ms or query.started_to_ms:
        between = {"gte": query.started_from_ms, **({"lt": query.started_to_ms} if query.started_to_ms else {})}
        filters.append({"range": {"started_ms": between}})
    if query.text:
        filters.append({"bool": {"should": [_somewhere(field, query.text) for field in ("flow", "error", "cause")]}})
    return {
        "query": {"bool": {"filter": filters}},
        "sort": [{"started_ms": "desc"}, {"flow": "desc"}],
        "size": query.limit + 1,
        "source": ["document"],
        **({"search_after": list(read_cursor(query.cursor))} if query.cursor else {}),
    }


def _somewhere(field: str, text: str) -> Body:
    escaped = text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
    return {"wildcard": {field: {"value": f"*{escaped}*", "case_insensitive": True}}}


def of_blueprint(blueprint: str | None) -> Body:
    return {"term": {"blueprint": blueprint}} if blueprint else {"match_all": {}}


def combinations(*fields: str, optional: str = "", sums: tuple[str, ...] = (), counts: tuple[str, ...] = ()) -> Body:
    """An aggregation with a row for each combination of values; ``optional``: a field that may be missing, then None."""
    sources = [{field: {"terms": {"field": field, **({"missing_bucket": True} if field == optional else {})}}} for field in fields]
    inner: Body = {field: {"sum": {"field": field}} for field in sums}
    inner.update({field: {"value_count": {"field": field}} for field in counts})
    return {"composite": {"size": PAGE, "sources": sources}, **({"aggs": inner} if inner else {})}


FLOW_COUNTS = combinations("blueprint", "version", "status", "held")

_VISIT_SUMS = ("entered", "completed", "failed", "retries", "duration_ms")
STATE_COUNTS = combinations("blueprint", "version", "state", "bucket", optional="bucket", sums=_VISIT_SUMS)


def flow_counts(rows: Iterator[Body]) -> list[FlowCount]:
    keys = ((row["key"], row["doc_count"]) for row in rows)
    return [FlowCount(key["blueprint"], key["version"], key["status"], bool(key["held"]), count) for key, count in keys]


def state_counts(rows: Iterator[Body]) -> tuple[dict[State, StateCount], dict[State, dict[int, int]]]:
    """Counts of each state, and its timed visits by bucket."""
    counts: dict[State, StateCount] = {}
    buckets: dict[State, dict[int, int]] = {}
    for row in rows:
        state = (row["key"]["blueprint"], row["key"]["version"], row["key"]["state"])
        bucket = row["key"]["bucket"]
        timed = row["doc_count"] if bucket is not None else 0
        entered, completed, failed, retries, total_ms = (int(row[name]["value"]) for name in _VISIT_SUMS)
        before = counts.get(state, StateCount(0, 0, 0, 0, 0, 0))
        added = (entered, completed, failed, retries, timed, total_ms)
        counts[state] = StateCount(*(a + b for a, b in zip(before, added, strict=True)))
        if bucket is not None:
            buckets.setdefault(state, {})[bucket] = timed
    return counts, buckets


def throughput(from_ms: int, to_ms: int, step_ms: int) -> Body:
    """Aggregations ``started`` and ``ended``, each with its slices."""

    def sliced(field: str, inner: Body) -> Body:
        slices = {"field": field, "fixed_interval": f"{step_ms}ms", "offset": f"+{from_ms % step_ms}ms", "min_doc_count": 1}
        return {
            "filter": {"range": {field: {"gte": from_ms, "lt": to_ms}}},
            "aggs": {"slices": {"date_histogram": slices, **inner}},
        }

    by_status = {"aggs": {"statuses": {"terms": {"field": "status", "size": 20}}}}
    return {"started": sliced("started_ms", {}), "ended": sliced("ended_ms", by_status)}


def throughput_counts(answer: Mapping[str, Any], from_ms: int, step_ms: int) -> tuple[dict[int, int], dict[int, dict[str, int]]]:
    """Both by the number of the slice."""

    def number(row: Body) -> int:
        return (int(row["key"]) - from_ms) // step_ms

    started = {number(row): row["doc_count"] for row in answer["started"]["slices"]["buckets"]}
    ended = {
        number(row): {status["key"]: status["doc_count"] for status in row["statuses"]["buckets"]}
        for row in answer["ended"]["slices"]["buckets"]
    }
    return started, ended
