"""Decisions alone: no Kafka, no clock, no files."""
