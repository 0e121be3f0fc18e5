"""The flow monitor: from sfc.history to an index that can be asked."""
