"""The Log port on Kafka, through librdkafka."""

from sfc.adapters.kafka.log import KafkaLog

__all__ = ["KafkaLog"]
