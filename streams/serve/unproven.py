"""A request that does not prove where it comes from."""

from __future__ import annotations


class Unproven(Exception):
    """The message says what is missing and quotes nothing of the request."""
