"""A prefix that goes into one with more journal partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.commands import run
from tests.support.running import Place

if TYPE_CHECKING:
    from click.testing import Result


def repartition(place: Place, to: int) -> Result:
    return run("repartition", "--to", str(to), "--into", grown(place, to).settings.prefix, **place.variables)


def grown(place: Place, to: int) -> Place:
    """The prefix that `repartition` makes."""
    settings = place.settings.model_copy(update={"prefix": f"{place.settings.prefix}-grown"})
    domain = place.domain.model_copy(update={"journal_partitions": to})
    return Place(settings, domain, place.folder / "grown")
