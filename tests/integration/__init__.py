"""On a real Apache Kafka."""
