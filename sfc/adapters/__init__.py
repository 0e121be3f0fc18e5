"""What stands behind the ports: Kafka, the embedded log, SQL, LMDB, the system clock."""
