"""SFC, the service-flow-conductor: a Kafka-native conductor for microservices."""

__version__ = "0.1.0"
