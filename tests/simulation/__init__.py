"""The engine and the fold on a model of Kafka, in virtual time: everything that happens follows from a seed."""
