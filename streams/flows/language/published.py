"""Settings as a record holds them, which someone else may have written."""

from __future__ import annotations

from pydantic import ValidationError

from streams.settings import DomainSettings

_OF_LATER = {"extra_forbidden", "literal_error"}
"""What pydantic says of a setting, or of a value, that this release does not know."""


def fault_of(settings: str) -> str | None:
    """Return what is wrong with settings that no release can have published; None: they are right, or of a later one.

    >>> fault_of("no JSON")[:12]
    'Invalid JSON'
    >>> fault_of('{"a_setting_of_later": 1}')
    """
    try:
        DomainSettings.model_validate_json(settings)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        if not any(fault["type"] in _OF_LATER for fault in faults):
            return f"{faults[0]['msg']} {'.'.join(map(str, faults[0]['loc']))}".rstrip()
    return None
