"""Zones by name: one that is unknown is the default, but one that cannot be read now is not unknown."""

from __future__ import annotations

import resource

import pytest

from streams.profiles.zones import zone_of


def test_a_zone_that_the_machine_cannot_read_now_is_not_taken_for_an_unknown_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            zone_of("Pacific/Chatham", "UTC")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert zone_of("Pacific/Chatham", "UTC").key == "Pacific/Chatham"
