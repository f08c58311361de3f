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
    """`kafka` holds librdkafka's settings, among them bootstrap.servers; `domain` is what the prefix was made with."""

    kafka: Mapping[str, str] = field(repr=False)
    prefix: str
    domain: DomainSettings
    wire: Wire = SINGLE_OBJECT

    @property
    def topics(self) -> Topics:
        return Topics(self.prefix)
