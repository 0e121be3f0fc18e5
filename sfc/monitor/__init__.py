"""From the history to lists and statistics: projection, folding, and the indexer that feeds a FlowIndex."""

from sfc.monitor.indexer import Indexer

__all__ = ["Indexer"]
