"""Adapters on SQL databases."""

from sfc.adapters.sql.flow_index import SqliteFlowIndex

__all__ = ["SqliteFlowIndex"]
