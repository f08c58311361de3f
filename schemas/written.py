"""Codecs of our own schemas, written out before: none in the sources. A compiled wheel brings them (hatch_build.py)."""
