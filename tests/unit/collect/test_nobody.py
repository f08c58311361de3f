"""Which ids mean nobody."""

from __future__ import annotations

import pytest

from streams.collect.nobody import is_of_nobody

NOBODY = (
    *("", " ", "\t", "\N{NO-BREAK SPACE}", "0", "00", "-", "-1", '""', "' '"),
    *("null", "NULL", " Null ", "nil", "none", "None", "undefined", "NaN", "'null'", "<null>", "(null)", "empty"),
    *("unknown", "Unknown", "guest", "anonymous", "test", "TEST", "true", "False"),
    *("n/a", "N/A", "na", "(not set)", "not set", "(none)", "[object Object]"),
    *("00000000-0000-0000-0000-000000000000", "0" * 32, "{00000000-0000-0000-0000-000000000000}"),
    *("{{user_id}}", "{{ user.id }}", "${userId}", "u-${id}", "<%= user.id %>", "{% id %}", "%%ID%%", "$$id$$"),
)
SOMEBODY = ("1", "10", "007", "-7", "a", "nathan", "testa", "unknown-7", "guest7", "0a", "{7}", "$7", "100%", "None 7")


@pytest.mark.parametrize("user_id", NOBODY)
def test_an_id_that_programs_send_where_they_have_none_is_nobodys(user_id: str) -> None:
    assert is_of_nobody(user_id)


@pytest.mark.parametrize("user_id", SOMEBODY)
def test_an_id_that_only_looks_like_it_is_somebodys(user_id: str) -> None:
    assert not is_of_nobody(user_id)
