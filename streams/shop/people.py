"""Customers with a hidden buying process, their devices, and the articles of the shop."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schemas.touchpoint import Product
from streams.shop.truth import HiddenCustomer

if TYPE_CHECKING:
    from random import Random

    from streams.shop.parameters import ShopParameters

# rates and chances of leaving for ever, as in the BG/NBD model (Fader, Hardie, Lee 2005)
_RATE_SHAPE, _RATE_MIN, _RATE_MAX = 0.8, 0.05, 4.0
_GONE_A, _GONE_B = 0.8, 4.0
_DEVICES_MAX = 3
_NEW_DEVICE_SHARE = 0.08
_TRIES_MAX = 200
_CATEGORIES = ("kitchen", "garden", "toys", "books", "lighting", "textiles", "stationery", "decoration")


@dataclass(slots=True, eq=False)
class Customer:
    """A customer; `seen` once the shop knows their name; `remembered` are devices on which they are logged in."""

    user_id: str
    hidden: HiddenCustomer
    gone_share: float
    email_hash: str
    devices: list[str] = field(default_factory=list)
    remembered: set[str] = field(default_factory=set)
    seen: bool = False
    mailed: bool = False
    message_id: str | None = None
    busy_until_ms: int = 0


class People:
    """All customers; one who has left never comes back."""

    def __init__(self, parameters: ShopParameters, random: Random) -> None:
        self._random = random
        self._shared_share = parameters.shared_device_share
        self._devices = 0
        self.everyone: list[Customer] = []
        self._present: list[Customer] = []
        for _ in range(parameters.customers):
            self.arrive()

    def arrive(self) -> Customer:
        """Return a new customer."""
        number = len(self.everyone) + 1
        rate = min(_RATE_MAX, max(_RATE_MIN, self._random.gammavariate(_RATE_SHAPE, 1.0)))
        user_id = f"c{number:06d}"
        customer = Customer(
            user_id,
            HiddenCustomer(round(rate, 6)),
            self._random.betavariate(_GONE_A, _GONE_B),
            hashlib.sha256(f"{user_id}@shop.example".encode()).hexdigest(),
        )
        if self._present and self._random.random() < self._shared_share:
            housemate = self._random.choice(self._present)
            customer.devices.append(housemate.devices[0] if housemate.devices else self.new_device())
            housemate.devices = housemate.devices or customer.devices[:1]
        self.everyone.append(customer)
        self._present.append(customer)
        return customer

    def someone(self, time_ms: int) -> Customer | None:
        """Return a customer who is not in the shop now, more likely one who buys often."""
        for _ in range(_TRIES_MAX):
            if not self._present:
                return None
            place = self._random.randrange(len(self._present))
            customer = self._present[place]
            if customer.hidden.gone_ms is not None:
                self._present[place] = self._present[-1]
                self._present.pop()
            elif customer.busy_until_ms <= time_ms and self._random.random() * _RATE_MAX < customer.hidden.rate:
                return customer
        return None

    def perhaps_leaves(self, customer: Customer, time_ms: int) -> None:
        """Decide whether a customer leaves for ever after a purchase."""
        if self._random.random() < customer.gone_share and customer.hidden.gone_ms is None:
            customer.hidden.gone_ms = time_ms

    def device_of(self, customer: Customer) -> str:
        """Return the device of their next visit, rarely a new one."""
        is_new = len(customer.devices) < _DEVICES_MAX and self._random.random() < _NEW_DEVICE_SHARE
        if is_new or not customer.devices:
            customer.devices.append(self.new_device())
            return customer.devices[-1]
        return self._random.choice(customer.devices)

    def new_device(self) -> str:
        self._devices += 1
        return f"d{self._devices:06d}"


def stocked(parameters: ShopParameters, random: Random) -> list[Product]:
    """Return the articles of the shop, with prices in minor units."""
    return [
        Product(
            sku=f"sku-{number:04d}",
            category=_CATEGORIES[number % len(_CATEGORIES)],
            price_minor=max(99, round(random.lognormvariate(7.6, 0.7))),
            quantity=1,
        )
        for number in range(1, parameters.skus + 1)
    ]
