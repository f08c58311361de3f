"""The customers of an import, each once."""

from __future__ import annotations

from streams.operations.met import Met


def test_each_customer_is_there_once_in_the_order_of_the_first_meeting() -> None:
    with Met() as met:
        for key in (b"u:2", b"u:1", b"u:2", b"a:3", b"u:1"):
            met.note(key)
        assert len(met) == 3
        assert list(met.behind(0)) == [b"u:2", b"u:1", b"a:3"]
        assert list(met.behind(2)) == [b"a:3"]
        assert list(met.behind(3)) == []
