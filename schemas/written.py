"""Codecs of our own schemas, generated beforehand: only a compiled wheel has them (hatch_build.py)."""
