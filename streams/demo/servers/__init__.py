"""The servers that the demo and tests start."""
