"""The whole, on real data."""
