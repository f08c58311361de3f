"""A generated shop, folded: prints a hash of all that came of it, and whether compiled code did it."""

from __future__ import annotations

import json
from hashlib import blake2b

from schemas import wire
from schemas.units import DAY_MS, HOUR_MS
from streams.flows.language.files import library_documents
from streams.fold import fold
from streams.shop.generator import Shop, ShopParameters
from tests.support.world import World

CUTS = {
    "recency_ms": [DAY_MS, 2 * DAY_MS, 5 * DAY_MS, 9 * DAY_MS],
    "frequency": [2, 3, 4, 5],
    "monetary_minor": [1_000, 2_000, 4_000, 8_000],
}


def main() -> None:
    world = World(flows=library_documents(), cuts_fixed=CUTS)
    hour_ms = 0
    for event in Shop(ShopParameters(days=6, orders_per_hour=8, customers=200, outages=())).touchpoints():
        if event.time_ms > hour_ms:
            hour_ms = event.time_ms - event.time_ms % HOUR_MS + HOUR_MS
            world.pass_time(event.time_ms)
        world.send(event)
    world.pass_time(hour_ms + 30 * DAY_MS)
    digest = blake2b()
    for customer, record in world.outputs:
        digest.update(customer.encode() + (b"" if record is None else wire.encode(record)))
    for key, value in world.overlay.freeze():
        digest.update(key + (value or b""))
    digest.update(json.dumps(sorted(world.counts.items())).encode())
    print(  # noqa: T201 - its caller reads it
        json.dumps(
            {
                "compiled": fold.__file__.endswith(".so"),
                "hash": digest.hexdigest(),
                "outputs": len(world.outputs),
                "kinds": sorted({type(record).__name__ for _, record in world.outputs}),
            }
        )
    )


if __name__ == "__main__":
    main()
