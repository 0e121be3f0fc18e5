"""The flow index on Elasticsearch, 8.x and 9.x."""

from sfc.adapters.elasticsearch.flow_index import ElasticsearchFlowIndex

__all__ = ["ElasticsearchFlowIndex"]
