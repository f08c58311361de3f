"""What a publication would change."""

from __future__ import annotations

from streams.flows.language.comparing import differences
from tests.support.flows import a_flow_named as flow


def test_a_difference_is_told_by_its_place() -> None:
    before = [flow("a"), flow("another"), flow("same")]
    after = [{**flow("a", wait={"for": "3h"}, version=2), "reentry": "7d"}, flow("come"), flow("same")]
    assert differences(before, after) == [
        (
            "a",
            (
                "version: 1 would become 2",
                "wait.for: '2h' would become '3h'",
                "wait.restarts: True would be removed",
                "reentry: '7d' would be added",
            ),
        ),
        ("come", ("is new",)),
    ]


def test_a_change_under_the_same_version_is_told() -> None:
    ((_, lines),) = differences([flow("a")], [flow("a", priority=1)])
    assert lines == ("priority: 70 would become 1", "version stays 1: raise it, as each change needs its own version")
