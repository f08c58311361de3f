"""Grants reach what a role needs, and nothing of another prefix."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from streams.operations.acls import acls
from streams.topics import Topics, command_id, worker_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.operations.acls import Acl

PREFIXES = ("shop", "shop-eu", "shop.eu", "shop_eu", "shop-eu.de", "sho")
INSTANCES = ("0", "eu-0", "eu.0", "worker", "command")


def names(prefix: str) -> Iterator[tuple[str, str]]:
    """Everything that a prefix has on the brokers."""
    yield from (("topic", name) for name in Topics(prefix).all())
    yield "group", prefix
    yield from (("transactional-id", worker_id(prefix, instance)) for instance in INSTANCES)
    yield from (("transactional-id", command_id(prefix, name)) for name in ("doctor", "settings"))


def reaches(acl: Acl, resource: str, name: str) -> bool:
    return acl.resource == resource and (name.startswith(acl.name) if acl.is_prefixed else name == acl.name)


@pytest.mark.parametrize("role", ["worker", "admin", "producer", "subscriber"])
@pytest.mark.parametrize(("mine", "other"), [pair for pair in product(PREFIXES, repeat=2) if pair[0] != pair[1]])
def test_a_grant_on_one_prefix_reaches_no_other(role: str, mine: str, other: str) -> None:
    reached = [(acl, name) for acl in acls(mine)[role] for kind, name in names(other) if reaches(acl, kind, name)]
    assert reached == []


def test_two_prefixes_and_their_workers_never_share_an_id() -> None:
    ids = [name for prefix in PREFIXES for _, name in names(prefix)]
    assert len(set(ids)) == len(ids)


def test_a_worker_may_write_to_every_topic_of_its_prefix() -> None:
    granted = {acl.name for acl in acls("shop")["worker"] if acl.resource == "topic" and "Write" in acl.operations}
    assert granted == set(Topics("shop").all())
