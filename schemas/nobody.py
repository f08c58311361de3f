"""The published words that are no ids, as the setting `ids_of_nobody` has them at first."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, Field

_WORDS_MAX: Final = 1_000
_WORD_MAX: Final = 100
"""Characters. 1,000 such words are a quarter of the settings' bytes."""


def _folded(word: str) -> str:
    """Return a word as ids are compared with it: in small letters, without blanks and quotes around it."""
    folded = word.strip().strip("\"'`").strip().lower()
    if not folded:
        raise ValueError(f"{word!r} is blank, which is nobody's id anyway; leave it out")
    return folded


NobodysIds: TypeAlias = Annotated[
    tuple[Annotated[str, Field(max_length=_WORD_MAX), AfterValidator(_folded)], ...], Field(max_length=_WORDS_MAX)
]

IDS_OF_NOBODY: Final = (
    "#n/a",
    "(blank)",
    "(none)",
    "(not set)",
    "(null)",
    "(undefined)",
    "-1",
    "<none>",
    "<null>",
    "<undefined>",
    "[object object]",
    "\\n",
    "anon",
    "anonymous",
    "blank",
    "customer_id",
    "customerid",
    "distinct_id",
    "distinctid",
    "email",
    "empty",
    "false",
    "guest",
    "id",
    "logged_out",
    "n.a.",
    "n/a",
    "na",
    "nan",
    "nil",
    "no user",
    "no_user",
    "nobody",
    "none",
    "not available",
    "not logged in",
    "not set",
    "not_authenticated",
    "not_logged_in",
    "not_set",
    "null",
    "test",
    "true",
    "undefined",
    "unknown",
    "user_id",
    "userid",
    "visitor",
    "void",
)
"""What programs, forms and tags send where they have no id. PostHog refuses a part of it for the same reason."""


class _Latest:
    """The words that were asked for last: each touchpoint asks, and a tuple of them takes long to search or to hash."""

    words: tuple[str, ...] = ()
    found: frozenset[str] = frozenset()


def words_of(words: tuple[str, ...]) -> frozenset[str]:
    """Return the words as a set."""
    if _Latest.words is not words:
        _Latest.found, _Latest.words = frozenset(words), words
    return _Latest.found
