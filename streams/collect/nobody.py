"""Ids that mean nobody: programs send them where they have none, and one customer of strangers would have them all."""

from __future__ import annotations

import re
from typing import Final

from schemas.nobody import words_of

_NOTHING: Final = frozenset(
    {
        "",
        "(none)",
        "(not set)",
        "(null)",
        "(undefined)",
        "<none>",
        "<null>",
        "<undefined>",
        "[object object]",
        "n/a",
        "nan",
        "nil",
        "none",
        "not set",
        "null",
        "undefined",
    }
)
"""In lower case: what programs write where they have nothing, which is no name of an article or a channel either."""
_TEMPLATE: Final = re.compile(r"\{\{.*\}\}|\$\{.*\}|\{%.*%\}|<%.*%>|\$\$.*\$\$|%%.*%%", re.DOTALL)
"""What a template has where no value was put in: {{user_id}}, ${user_id}, <%= id %>, %%id%%."""
_NOUGHTS: Final = "0-{}"
"""A UUID of noughts has nothing else, nor has a number that was never set."""
_QUOTES: Final = "\"'`"
_DIGITS: Final = "123456789"


def is_of_nobody(user_id: str, words: tuple[str, ...]) -> bool:
    """Return whether an id of a user or device is none: blank, one of these words, noughts, or a placeholder.

    The words are those of the setting `ids_of_nobody`, in lower case. Blanks and quotes around it and capitals do not
    matter.
    """
    if user_id.isalnum():
        # a usual id, and each touchpoint may have one
        if user_id[0] in _DIGITS:
            return user_id in words_of(words)
        return not user_id.strip("0") or user_id.lower() in words_of(words)
    text = user_id.strip().strip(_QUOTES).strip().lower()
    return not text.strip(_NOUGHTS) or text in words_of(words) or _has_placeholder(text)


def is_nothing(text: str) -> bool:
    """Return whether a text, without blanks around it, is what programs write where they have nothing."""
    return text.lower() in _NOTHING


def _has_placeholder(text: str) -> bool:
    may_have = "}" in text or "%" in text or "$$" in text
    return may_have and _TEMPLATE.search(text) is not None
