"""The customers whom one may ask about."""

from __future__ import annotations

import pytest

from streams.operations.explain import NotACustomer, customer_key


def test_a_bare_id_is_a_users() -> None:
    assert customer_key("1234") == "u:1234"
    assert customer_key("u:1234") == "u:1234"
    assert customer_key("a:phone") == "a:phone"


@pytest.mark.parametrize("text", ["", "o:1", "s:email", "e:hash", "u:"])
def test_keys_without_a_public_profile_are_refused(text: str) -> None:
    with pytest.raises(NotACustomer, match="write u:USER_ID"):
        customer_key(text)
