"""Check of a worker's inputs before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.engine.settings import client_config
from streams.kafka.topics import check_counts, partition_counts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.engine.inputs import Input
    from streams.engine.settings import EngineSettings


def check_inputs(settings: EngineSettings, inputs: Iterable[Input]) -> None:
    """Refuse to start if an input or its changelog is missing, or their partitions differ."""
    there = partition_counts(settings.brokers, client_config(settings))
    wanted: dict[str, int] = {}
    for source in inputs:
        wanted[source.topic] = there.get(source.topic, 1)
        if source.changelog is not None:
            wanted[source.changelog] = wanted[source.topic]
    check_counts(wanted, there)
