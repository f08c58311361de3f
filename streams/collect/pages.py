"""The page on which something happened, and what its address says of the campaign that brought the customer.

Of an address stay scheme, host and path, and of its query what names a campaign or a click. The rest may hold whatever
a shop writes there: names, tokens of logins, what was searched for.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from schemas.limits import CAMPAIGN_MAX, PROPERTY_MAX, TEXT_BYTES_MAX
from schemas.touchpoint import Marketing, Page
from streams.collect.reading import part, word

_SCHEMES: Final = frozenset({"http", "https", "android-app", "ios-app"})
CLICKS: Final = (
    "gclid",
    "gbraid",
    "wbraid",
    "dclid",
    "fbclid",
    "msclkid",
    "ttclid",
    "twclid",
    "li_fat_id",
    "epik",
    "sccid",
    "rdt_cid",
    "irclickid",
    "yclid",
)
"""Parameters in which ad networks name a click, in the order in which they are looked for."""
_UTM: Final = {
    "utm_id": "campaign_id",
    "utm_source": "utm_source",
    "utm_medium": "utm_medium",
    "utm_campaign": "utm_campaign",
    "utm_content": "utm_content",
    "utm_term": "utm_term",
}
_KEPT: Final = frozenset({*CLICKS, *_UTM})
_PARAMETERS_MAX: Final = 100


def page_of(url: Any, referrer: Any) -> Page | None:  # noqa: ANN401 - of a JSON document
    """Return both addresses without what is nobody's business; None: there is neither. What is no address is none."""
    shown, came_from = _address(url), _address(referrer)
    return Page(shown, came_from) if shown or came_from else None


def campaign_in(url: Any) -> dict[str, str]:  # noqa: ANN401 - of a JSON document
    """Return what an address says of its campaign, by the names of `Marketing`; texts are cut to their limits."""
    found = _parameters(url) if isinstance(url, str) else {}
    fields = {field: _cut(found[name], CAMPAIGN_MAX) for name, field in _UTM.items() if found.get(name)}
    click = next((found[name] for name in CLICKS if found.get(name)), None)
    if click is not None:
        fields["click_id"] = _cut(click, CAMPAIGN_MAX)
    return fields


def marketing_of(context: dict[str, Any], properties: dict[str, Any], url: Any) -> Marketing | None:  # noqa: ANN401 - of a JSON document
    """Return what a call says of its campaign, or else what the page's address says.

    Raises:
        RefusedRecord: a field is no text.
    """
    campaign, referrer = part(context, "campaign", "context."), part(context, "referrer", "context.")
    path = "context.campaign."
    said = {
        "utm_source": word(campaign.get("source"), f"{path}source"),
        "utm_medium": word(campaign.get("medium"), f"{path}medium"),
        "utm_campaign": word(campaign.get("name"), f"{path}name"),
        "utm_content": word(campaign.get("content"), f"{path}content"),
        "utm_term": word(campaign.get("term"), f"{path}term"),
    }
    fields = campaign_in(url)
    if any(said.values()):
        # one campaign is not mixed with another
        fields = {name: value for name, value in fields.items() if name == "click_id"}
    fields |= {name: value for name, value in said.items() if value}
    number = word(properties.get("campaign_id"), "properties.campaign_id") or word(campaign.get("id"), f"{path}id")
    click = word(referrer.get("id"), "context.referrer.id")
    fields |= {name: value for name, value in (("campaign_id", number), ("click_id", click)) if value}
    return Marketing(**fields) if fields else None


def _address(url: Any) -> str | None:  # noqa: ANN401 - of a JSON document
    if not isinstance(url, str):
        return None
    text = url.strip()[:PROPERTY_MAX]
    try:
        scheme, host, path, _, _ = urlsplit(text)
    except ValueError:
        return None
    if scheme not in _SCHEMES or not host:
        return None
    found = _parameters(text)
    query = urlencode([(name, value) for name, value in found.items() if value])
    plain = urlunsplit((scheme, host.rpartition("@")[2], path, "", ""))
    whole = f"{plain}?{query}" if query else plain
    return whole if len(whole) <= TEXT_BYTES_MAX and _fits(whole) else _cut(plain, TEXT_BYTES_MAX)


def _parameters(url: str) -> dict[str, str]:
    """Return the parameters of an address that name a campaign or a click, each as it is first."""
    try:
        query = urlsplit(url.strip()[:PROPERTY_MAX]).query
        pairs = parse_qsl(query, max_num_fields=_PARAMETERS_MAX, errors="replace") if query else []
    except ValueError:
        return {}
    found: dict[str, str] = {}
    for name, value in pairs:
        if name.lower() in _KEPT:
            found.setdefault(name.lower(), value.strip())
    return found


def _fits(text: str) -> bool:
    return text.isascii() or len(text.encode(errors="replace")) <= TEXT_BYTES_MAX


def _cut(text: str, characters_max: int) -> str:
    """Return the beginning of a text, within its characters and TEXT_BYTES_MAX bytes."""
    return text[:characters_max].encode(errors="replace")[:TEXT_BYTES_MAX].decode(errors="ignore")
