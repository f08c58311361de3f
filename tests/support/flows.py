"""Flows for tests."""

from __future__ import annotations

from typing import Any

from streams.flows.language.files import LIBRARY, flow_files, library_documents, read_document

TEN: tuple[dict[str, Any], ...] = tuple(read_document(file) for file in flow_files(LIBRARY))
"""The flows of the product."""


def a_reminder(**changes: Any) -> dict[str, Any]:
    """The product's flow of the abandoned cart with its first message only, as version 1."""
    (flow,) = library_documents("abandoned_cart")
    return {**flow, "version": 1, "begins_anew": False, "steps": [{"name": "reminder", "do": "trigger"}], **changes}
