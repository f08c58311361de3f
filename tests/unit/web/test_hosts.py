"""Only an address that surely belongs to this machine is taken for one."""

from __future__ import annotations

import pytest

from streams.web.hosts import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_an_address_of_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "", "10.0.0.1", "localhost.example.com", "128.0.0.1", "127.0.0.1.org"],  # noqa: S104 - the case
)
def test_any_other_address_or_name(host: str) -> None:
    assert not is_loopback(host)
