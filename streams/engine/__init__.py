"""Faust on librdkafka: fetching, transactions, the commit cycle, changelog and restore."""
