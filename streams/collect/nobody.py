"""Ids that mean nobody: programs send them where they have none, and one customer of strangers would have them all."""

from __future__ import annotations

import re
from typing import Final

_WORDS: Final = frozenset(
    {
        "(none)",
        "(not set)",
        "(null)",
        "-1",
        "<null>",
        "[object object]",
        "anonymous",
        "empty",
        "false",
        "guest",
        "n/a",
        "na",
        "nan",
        "nil",
        "none",
        "not set",
        "null",
        "test",
        "true",
        "undefined",
        "unknown",
    }
)
"""In lower case."""
_TEMPLATE: Final = re.compile(r"\{\{.*\}\}|\$\{.*\}|\{%.*%\}|<%.*%>|\$\$.*\$\$|%%.*%%", re.DOTALL)
"""What a template has where no value was put in: {{user_id}}, ${user_id}, <%= id %>, %%id%%."""
_NOUGHTS: Final = "0-{}"
"""A UUID of noughts has nothing else, nor has a number that was never set."""
_QUOTES: Final = "\"'`"
_DIGITS: Final = "123456789"


def is_of_nobody(user_id: str) -> bool:
    """Return whether an id of a user or device is none: blank, a word for nothing, noughts, or a placeholder.

    Blanks and quotes around it and capitals do not matter.
    """
    if user_id.isalnum():
        # a usual id, and each touchpoint may have one; no word begins with a digit
        return user_id[0] not in _DIGITS and (not user_id.strip("0") or user_id.lower() in _WORDS)
    text = user_id.strip().strip(_QUOTES).strip().lower()
    return not text.strip(_NOUGHTS) or text in _WORDS or _has_placeholder(text)


def _has_placeholder(text: str) -> bool:
    may_have = "}" in text or "%" in text or "$$" in text
    return may_have and _TEMPLATE.search(text) is not None
