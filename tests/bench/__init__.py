"""Benchmarks, never tests: ratios to the yardstick's floor, taken side by side in one run."""
