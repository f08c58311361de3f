"""Avro schemas of every topic, their Python types and the wire format."""
