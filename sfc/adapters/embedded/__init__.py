"""The embedded log: Kafka's semantics in one process, in memory or in a SQLite file. For a laptop and for tests."""

from sfc.adapters.embedded.log import EmbeddedLog

__all__ = ["EmbeddedLog"]
