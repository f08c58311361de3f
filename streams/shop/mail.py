"""The shop's marketing: a newsletter each week, and spending on advertising each day."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from schemas.touchpoint import Consent, Marketing, Message, Spend
from schemas.units import DAY_MS, HOUR_MS
from streams.shop.visits import PAID

if TYPE_CHECKING:
    from random import Random

    from streams.shop.parameters import ShopParameters
    from streams.shop.people import Customer, People
    from streams.shop.schedule import Schedule
    from streams.shop.truth import Truth
    from streams.shop.visits import Visits

_MAIL_WEEKDAY, _MAIL_HOUR = 1, 10
_SPEND_HOUR = 23
_OPENED_SHARE = 0.25
_OPENED_MEAN_MS = 6 * HOUR_MS
_UNSUBSCRIBED_SHARE = 0.02
_CLICK_COST_MINOR = {"paid_search": 32, "paid_social": 21, "affiliate": 55}


class Marketer:
    """The shop's marketer, who works once an hour."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of one shop
        self, parameters: ShopParameters, random: Random, people: People, visits: Visits, plan: Schedule, truth: Truth
    ) -> None:
        self._parameters = parameters
        self._random = random
        self._people = people
        self._visits = visits
        self._schedule = plan
        self._truth = truth

    def work(self, hour_ms: int) -> None:
        local = datetime.fromtimestamp(hour_ms / 1000, self._parameters.zone)
        if (local.weekday(), local.hour) == (_MAIL_WEEKDAY, _MAIL_HOUR):
            for customer in self._people.everyone:
                if customer.mailed:
                    self._mail(customer, f"newsletter-{local.date().isoformat()}", hour_ms)
        if local.hour == _SPEND_HOUR:
            self._spend(hour_ms + HOUR_MS - 1)

    def _mail(self, customer: Customer, campaign: str, hour_ms: int) -> None:
        customer.message_id = f"{campaign}/{customer.user_id}"
        about = {
            "user_id": customer.user_id,
            "email_hash": customer.email_hash,
            "channel": "email",
            "marketing": Marketing(campaign_id=campaign),
            "message": Message(message_id=customer.message_id),
        }
        time_ms = hour_ms + self._random.randrange(HOUR_MS)
        self._schedule.plan("email_delivered", time_ms, **about)
        if self._random.random() >= _OPENED_SHARE:
            return
        time_ms += 1000 + round(self._random.expovariate(1 / _OPENED_MEAN_MS))
        if time_ms >= self._parameters.end_ms:
            return
        self._schedule.plan("email_opened", time_ms, **about)
        if self._random.random() < _UNSUBSCRIBED_SHARE:
            customer.mailed = False
            self._truth.unsubscribed.append(customer.user_id)
            self._schedule.plan("email_unsubscribed", time_ms + 20_000, **about)
            who = {"user_id": customer.user_id, "email_hash": customer.email_hash}
            self._schedule.plan("consent_changed", time_ms + 20_001, consent=Consent("email", granted=False), **who)

    def _spend(self, time_ms: int) -> None:
        for channel, campaign in PAID.items():
            clicks = self._visits.paid_visits.pop(channel, 0)
            total_minor = round(clicks * _CLICK_COST_MINOR[channel] * self._random.uniform(0.9, 1.1))
            day = datetime.fromtimestamp((time_ms - DAY_MS // 2) / 1000, self._parameters.zone).date().isoformat()
            self._schedule.plan(
                "spend_recorded",
                time_ms,
                channel=channel,
                marketing=Marketing(campaign_id=campaign),
                spend=Spend(self._parameters.currency, total_minor),
                properties={"day": day},
            )
