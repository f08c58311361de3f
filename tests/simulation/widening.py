"""A history in which texts, lines and amounts are at the limits of what the door lets in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from schemas.limits import LINES_KEPT
from schemas.touchpoint import Product, Touchpoint
from schemas.wire import SINGLE_OBJECT
from tests.adversary import door
from tests.adversary.attacks import FILLERS, TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from random import Random

    from tests.simulation.history import Sent

_TEXT_SHARE, _LINES_SHARE = 0.5, 0.3
_EVENT = SINGLE_OBJECT.header(Touchpoint)


def widened(sent: Iterable[Sent], chance: Random) -> Iterator[Sent]:
    """Give the same records for the same customers, wider; those that came twice stay the same."""
    wide: dict[bytes, bytes] = {}
    for each in sent:
        if not each.value.startswith(_EVENT):
            yield each
            continue
        if each.value not in wide:
            event = _wide(SINGLE_OBJECT.decode_as(Touchpoint, each.value), chance)
            wide[each.value] = SINGLE_OBJECT.encode(event)
        yield each._replace(value=wide[each.value])


def _wide(event: Touchpoint, chance: Random) -> Touchpoint:
    for path in TEXTS:
        part, _, _ = path.rpartition(".")
        if chance.random() < _TEXT_SHARE and (not part or getattr(event, part) is not None):
            event = door.with_text(event, path, _text(path, chance))
    if event.products and chance.random() < _LINES_SHARE:
        event = door.with_lines(event, [_line(chance) for _ in range(LINES_KEPT + chance.randint(0, 1))])
    if event.type == "order_completed" and event.order is not None and chance.random() < _TEXT_SHARE:
        event = replace(event, order=replace(event.order, total_minor=door.largest_amount()))
    return event


def _text(path: str, chance: Random) -> str:
    filler = chance.choice(FILLERS)
    mark = f"{chance.randrange(1_000):03}"
    return mark + filler * max(door.longest(path, filler) - len(mark), 0)


def _line(chance: Random) -> Product:
    return Product(_text("products.sku", chance), door.largest_amount(), door.largest_quantity())
