"""What a command does to a prefix on Kafka; the command line stays thin."""
