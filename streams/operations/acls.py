"""What each principal must be allowed to do where the brokers have an authorizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from streams.topics import Topics, command_id, worker_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Acl:
    """Operations on a resource, as kafka-acls.sh names both; Read and Write let describe it too."""

    resource: Literal["topic", "group", "transactional-id", "cluster"]
    name: str
    operations: tuple[str, ...]
    is_prefixed: bool = False

    def command(self, principal: str) -> str:
        """The line for kafka-acls.sh, without the brokers' address."""
        resource = "--cluster" if self.resource == "cluster" else f"--{self.resource} {self.name}"
        pattern = " --resource-pattern-type prefixed" if self.is_prefixed else ""
        operations = " ".join(f"--operation {each}" for each in self.operations)
        return f"--add --allow-principal {principal} {operations} {resource}{pattern}"


def acls(prefix: str) -> Mapping[str, Sequence[Acl]]:
    """By role: all that it needs, and no more; a prefix that begins like this one is not reached by it."""
    topics = Topics(prefix)
    worker, admin = ("Read", "Write"), ("Create", "Read", "Write", "DescribeConfigs")
    return {
        "worker": (
            *(Acl("topic", name, worker) for name in topics.all()),
            Acl("group", prefix, ("Read",)),
            Acl("transactional-id", worker_id(prefix, ""), ("Write",), is_prefixed=True),
        ),
        "admin": (
            *(Acl("topic", name, admin) for name in topics.all()),
            Acl("group", prefix, ("Read",)),
            Acl("transactional-id", command_id(prefix, ""), ("Write",), is_prefixed=True),
            Acl("cluster", "kafka-cluster", ("DescribeConfigs",)),
        ),
        "producer": (Acl("topic", topics.touchpoints, ("Write",)),),
        "subscriber": (Acl("topic", topics.triggers, ("Read",)), Acl("group", f"{prefix}.subscriber", ("Read",))),
    }
