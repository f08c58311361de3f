"""The prefix that a replay writes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schemas.wire import SINGLE_OBJECT, Wire
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.settings import DomainSettings


@dataclass(frozen=True, slots=True)
class Target:
    """A prefix to write to. `kafka` has librdkafka's settings with bootstrap.servers; `domain` is the prefix's own."""

    kafka: Mapping[str, str] = field(repr=False)
    prefix: str
    domain: DomainSettings
    wire: Wire = SINGLE_OBJECT

    @property
    def topics(self) -> Topics:
        return Topics(self.prefix)
