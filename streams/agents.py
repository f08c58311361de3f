"""Three doorways: each only hands its batches to its processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from streams.engine.batch import Batch


async def collect(touchpoints: AsyncIterable[Batch]) -> None:
    """Write touchpoints to the journal: streams.processors.collecting."""
    async for batch in touchpoints:
        batch.run()


async def profiles(journal: AsyncIterable[Batch]) -> None:
    """Fold the journal into customers: streams.processors.profiling."""
    async for batch in journal:
        batch.run()


async def insights(facts: AsyncIterable[Batch]) -> None:
    """Add up facts: streams.processors.insighting."""
    async for batch in facts:
        batch.run()
