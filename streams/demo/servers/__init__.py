"""The servers that demo and tests start."""
