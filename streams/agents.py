"""Three doorways: each hands its batches to the processor behind it, and that is all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from streams.engine.batch import Batch


async def collect(touchpoints: AsyncIterable[Batch]) -> None:
    """Touchpoints to the journal: streams.processors.collecting."""
    async for batch in touchpoints:
        batch.run()


async def profiles(journal: AsyncIterable[Batch]) -> None:
    """The journal folded into customers: streams.processors.profiling."""
    async for batch in journal:
        batch.run()


async def insights(facts: AsyncIterable[Batch]) -> None:
    """Facts added up: streams.processors.insighting."""
    async for batch in facts:
        batch.run()
