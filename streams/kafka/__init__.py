"""Requests to brokers and a registry, apart from the commit cycle."""
