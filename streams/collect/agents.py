"""Who opened or clicked: a person, a program that loads ahead, or one that reads for others.

Only the outcome goes on: neither a user agent nor an address of a machine is kept, here or behind the door. The tables
are applied at the door, so that the journal says what they made of it, and a later table changes nothing of the past.

Sources: RFC 9110 5.1 and the Fetch standard (`Sec-Purpose`), before it `Purpose`, `X-Purpose` and `X-Moz`; the list of
the package crawler-user-agents; what ua-parser calls a spider; the payloads of SendGrid and Mailgun; what SparkPost
published in 2022 of the programs of Gmail, and Apple of its mail privacy.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from ua_parser.lazy import DeviceMatcher
from ua_parser.loaders import load_lazy_builtins
from xxhash import xxh3_64_intdigest

from schemas.touchpoint import PERSON, PREFETCH, SCANNER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

AGENT_CHARS_MAX: Final = 512
"""Characters of a user agent that are looked at. Browsers have 250 at most, apps of phones 450."""
_REMEMBERED_MAX: Final = 4_096
"""User agents whose outcome is remembered, each by a hash from which it can't be read: 400 kB."""
_LOADS_AHEAD: Final = re.compile(r"\b(?:prefetch|prerender|preview)\b", re.IGNORECASE)
_PURPOSES: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")
"""Headers, in lower case, in which browsers say that they load ahead."""
_EDGE: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
_PREFETCHES: Final = frozenset(
    {
        # mail privacy of Apple: nothing more, for each message, whether it is read or not
        "Mozilla/5.0",
        # Gmail, while its app is open and before it shows a message that just came in; not its cache, below
        f"{_EDGE} Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0",
    }
)
_FOR_PEOPLE: Final = ("GoogleImageProxy", "YahooMailProxy")
"""Mailboxes that load pictures when their user opens a message, and hide the user's own program."""
_WORDS: Final = re.compile(
    r"""(?<!cu)bot\b|(?<!cu)bot[\d_/-]|\bbot|robot|crawl|spider|slurp|scrap[ei]|scrapy|fetch|harvest|extract|parser
    |archiv|indexer|nutch|search(?!browser|;)|\bfeed|\brss|favicon|screenshot|(?<!developer)preview
    |monitor|uptime|\bsynthetic|check|validat|verif|inspect|detect|analy[sz]|audit|probe|scan(?:ner|ning|\b)|\bseo
    |(?<!up\.)\blinks?\b|headless|phantomjs|selenium|puppeteer|playwright|lighthouse|pagespeed|webhook
    |curl|\bwget|urllib|http-?client|httpurlconnection|libwww|python|\bruby/|\bperl\b|\bphp|^java/|\bgo-|okhttp|axios
    |\+?https?:/|www\.|^[\w.+-]+@""",
    re.IGNORECASE | re.VERBOSE,
)
"""Words by which programs say what they are, or where to ask; phones of the brand Cubot and gateways UP.Link do not."""
_NO_BROWSER: Final = re.compile(
    r"""^Mozilla/5\.0\ \(compatible;\ ?\+?
        (?!MSIE|Konqueror|Opera|Windows|Linux|ms-office|OSS|Teleca|Polaris|Nokia|Sony)\w
    |^Mozilla/5\.0\ (?:AppleWebKit|\(compatible\))|like\ Gecko;\ |-agent\b|[;(\ ]\+[\w-]+[@.]\w|\(at\)|\[at\]
    |^Mozilla/5\.0\ \((?:X11|Windows|Macintosh)[^)]*\)\ .*
        (?:\ Safari/[\d.]+\ \([^)]*\)$|[\w-]\.(?:com|org|net|io)\b)""",
    re.VERBOSE,
)
"""What calls itself compatible and is none of those that did, names no system, or says in its own words whose it is."""
_SYSTEM: Final = re.compile(
    r"""(?i:android|iphone|ipad|\bios\b|windows|linux|\bmac\b|symb|series|midp|cldc|up\.|darwin|cfnetwork|profile|browser
    |netfront|obigo|brew|\bwap|opera|mobile|j2me|device|webkit|ucweb|qq|fban|hbbtv|office|mosaic|;)
    |[A-Z]{2,}\d|[A-Za-z]+[-_]?[A-Z]?\d{2,}|\d[A-Za-z]|[A-Z]+-[A-Z]""",
    re.VERBOSE,
)
"""What names the system on which it runs, or looks like the model of a phone; libraries and services name none."""
_BARE: Final = re.compile(
    r"[A-Za-z][a-zA-Z.&!'-]*(?: [A-Z][a-zA-Z]*)?(?:/v?[\d.]+)?$|[a-z][a-z0-9._-]+(?:/[\w.-]+)?(?: \([^();]*\))?$"
)
"""Nothing but a name and a version."""
_MOZILLA: Final = "mozilla"
_OF_PEOPLE: Final = re.compile(
    r"airmail|alcatel|barca|bing for|docomo|dolphin|evolution|flipboard|htc|huawei|instagram|kakaotalk|kddi|lenovo|lg"
    r"|line|lotus|mailbar|microsoft office|midori|mot|mqqbrowser|ncsa|nokia|outlook|panasonic|pantech|philips"
    r"|pinterest|postbox|qqbrowser|safari|sagem|samsung|sharp|sie|snapchat|sonyericsson|superhuman|the bat"
    r"|thunderbird|tiktok|twitter|ucweb|yahoomobile|zte",
    re.IGNORECASE,
)
"""Makers of phones, and programs for mail, that give no more than a name either."""
_NOT_SPIDERS: Final = re.compile(r"cubot|silk|vortex|yahoomobile", re.IGNORECASE)
"""Phones, a browser and an app that ua-parser takes for spiders, as it looks for parts of words."""
_NOT_CRAWLERS: Final = frozenset({r"AP3A\.240617\.008", "MetaIAB Facebook", "Sonic", "Butterfly", r"008\/"})
"""Of crawler-user-agents: a build of Android and the browser in an app, both of people, and what is part of
phones' names, or of the versions of browsers."""
_SPIDER: Final = "Spider"
_ESCAPED: Final = re.compile(r"\\([^a-zA-Z0-9])")
_SPECIAL: Final = frozenset("\\^$.|?*+()[]{}")


class Agents:
    """Rules that say which user agents are machines."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """`patterns` are regular expressions of crawlers, as crawler-user-agents has them."""
        texts: list[str] = []
        others: list[str] = []
        for pattern in patterns:
            if pattern in _NOT_CRAWLERS:
                continue
            text = _ESCAPED.sub(r"\1", pattern)
            is_text = _SPECIAL.isdisjoint(_ESCAPED.sub("", pattern))
            (texts if is_text else others).append(text if is_text else pattern)
        # to look for a text is ten times as fast as one more branch of an expression
        self._texts: Final = tuple(texts)
        self._others: Final = re.compile("|".join([f"(?:{each})" for each in others])) if others else None
        self._spiders: Final = _spiders()
        self.remembered: dict[int, str] = {}
        """By the hash of a user agent, what it was."""

    def of(self, user_agent: object) -> str | None:
        """Return who a user agent is; None: it is no text, or empty."""
        if not isinstance(user_agent, str) or not user_agent.strip():
            return None
        text = user_agent.strip()[:AGENT_CHARS_MAX]
        digest = xxh3_64_intdigest(text.encode(errors="replace"))
        found = self.remembered.get(digest)
        if found is None:
            found = self._looked_at(text)
            if len(self.remembered) >= _REMEMBERED_MAX:
                self.remembered.clear()
            self.remembered[digest] = found
        return found

    def _looked_at(self, text: str) -> str:
        if text in _PREFETCHES:
            return PREFETCH
        if any(name in text for name in _FOR_PEOPLE):
            return PERSON
        if _WORDS.search(text) is not None or _NO_BROWSER.search(text) is not None:
            return SCANNER
        if _is_bare(text) or any(each in text for each in self._texts):
            return SCANNER
        if self._others is not None and self._others.search(text) is not None:
            return SCANNER
        plain = _NOT_SPIDERS.sub("", text)
        return SCANNER if any(spider.search(plain) for spider in self._spiders) else PERSON


def _is_bare(text: str) -> bool:
    if text[:7].lower() == _MOZILLA or _OF_PEOPLE.match(text) is not None:
        return False
    return _BARE.match(text) is not None or _SYSTEM.search(text) is None


@cache
def _spiders() -> tuple[re.Pattern[str], ...]:
    """Return what ua-parser calls a spider; its other 600 devices are not compiled."""
    _, _, devices = load_lazy_builtins()
    return tuple([each.pattern for each in devices if isinstance(each, DeviceMatcher) and each.family == _SPIDER])


@cache
def known_agents() -> Agents:
    """Return the rules that hold at the door."""
    return Agents([each["pattern"] for each in CRAWLER_USER_AGENTS_DATA])


def agent_of(user_agent: object, purposes: Iterable[str] = (), *, flagged: str | None = None) -> str | None:
    """Return who opened, clicked or looked; None: nothing says so.

    `purposes` are values of the headers of purposes_of. `flagged` is what a provider has found out itself.
    """
    if flagged is not None:
        return flagged
    if any(_LOADS_AHEAD.search(each[:AGENT_CHARS_MAX]) for each in purposes):
        return PREFETCH
    return known_agents().of(user_agent)


def purposes_of(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of the headers in which browsers say that they load ahead; names are in any case."""
    return tuple([value for name, value in headers.items() if name.lower() in _PURPOSES])
