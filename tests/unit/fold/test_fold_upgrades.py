"""A journal that earlier rules wrote makes what it made there."""

from __future__ import annotations

import pytest

from tests.support.same_bytes import JOURNALS, expected, of_journal


@pytest.mark.parametrize("journal", JOURNALS)
def test_the_journal_of_earlier_rules_makes_what_it_made_there(journal: str) -> None:
    """Records, facts and state, but for the text of reasons; what its own code sent to the journal is in it."""
    made = of_journal(JOURNALS[journal])
    assert made == expected().journals[journal]
    assert all(hashed.records > 100 for hashed in made.values())
