"""Which ids mean nobody."""

from __future__ import annotations

import pytest

from schemas.nobody import IDS_OF_NOBODY
from streams.collect.nobody import is_nothing, is_of_nobody
from streams.settings import DomainSettings

WORDS = IDS_OF_NOBODY
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
    assert is_of_nobody(user_id, WORDS)


@pytest.mark.parametrize("user_id", SOMEBODY)
def test_an_id_that_only_looks_like_it_is_somebodys(user_id: str) -> None:
    assert not is_of_nobody(user_id, WORDS)


def test_a_shop_may_name_further_ids_of_nobody() -> None:
    words = DomainSettings(ids_of_nobody=("Kiosk", "999", *IDS_OF_NOBODY)).ids_of_nobody
    assert all(is_of_nobody(user_id, words) for user_id in ("kiosk", " KIOSK ", "'Kiosk'", "999", "null"))
    assert not is_of_nobody("9999", words)


@pytest.mark.parametrize("text", ["None", "NULL", "undefined", "(not set)", "[object Object]", ""])
def test_what_programs_write_for_nothing_is_nothing(text: str) -> None:
    assert is_nothing(text)


@pytest.mark.parametrize("text", ["test", "guest", "0", "email"])
def test_an_article_or_a_channel_may_be_called_what_no_customer_is(text: str) -> None:
    assert not is_nothing(text)
