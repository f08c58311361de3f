"""Codecs of our own schemas, written in advance: empty in the sources, filled in a compiled wheel (hatch_build.py)."""
