"""Conversion of producers' records into canonical touchpoints, keyed by customer."""
