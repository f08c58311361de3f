"""A journal that an earlier release wrote makes what it made there."""

from __future__ import annotations

from tests.support.same_bytes import JOURNAL, expected, of_journal


def test_the_journal_of_an_earlier_release_makes_what_it_made_there() -> None:
    """Records, facts and state, but for the text of reasons; what its own code sent to the journal is in it."""
    made = of_journal(JOURNAL)
    assert made == expected().journal
    assert all(hashed.records > 100 for hashed in made.values())
