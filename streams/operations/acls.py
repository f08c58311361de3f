"""Rights that each role needs on brokers with an authorizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from streams.topics import Topics, command_id, worker_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Acl:
    """Operations on a resource, both as kafka-acls.sh names them; Read and Write include Describe."""

    resource: Literal["topic", "group", "transactional-id", "cluster"]
    name: str
    operations: tuple[str, ...]
    is_prefixed: bool = False

    def command(self, principal: str) -> str:
        """Return the arguments for kafka-acls.sh, without the brokers' address."""
        resource = "--cluster" if self.resource == "cluster" else f"--{self.resource} {self.name}"
        pattern = " --resource-pattern-type prefixed" if self.is_prefixed else ""
        operations = " ".join(f"--operation {each}" for each in self.operations)
        return f"--add --allow-principal {principal} {operations} {resource}{pattern}"


def acls(prefix: str) -> Mapping[str, Sequence[Acl]]:
    """Return by role all rights that it needs, and no others: none reaches a prefix that begins like this one."""
    topics = Topics(prefix)
    worker, admin = ("Read", "Write"), ("Create", "Read", "Write", "DescribeConfigs", "AlterConfigs")
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
