"""Errors of a commit cycle, named after what they ask for."""

from __future__ import annotations


class MustAbort(Exception):
    """The transaction cannot be committed: abort it and rewind."""


class MustEnd(Exception):
    """This producer can do nothing more, for it was fenced or is broken: end the process and start it again."""
