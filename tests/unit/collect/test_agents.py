"""Who opened, clicked or looked, told from what a program says of itself."""

from __future__ import annotations

import random
import time

import pytest

from schemas.touchpoint import PERSON, PREFETCH, SCANNER
from streams.collect.agents import AGENT_CHARS_MAX, Agents, agent_of, known_agents, purposes_of

SYSTEM = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"{SYSTEM} Chrome/131.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("user_agent", "who"),
    [
        (CHROME, PERSON),
        # of people, though they look like machines
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", PERSON),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", PERSON),
        ("Mozilla/5.0 (Linux; Android 9; CUBOT POWER) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/80.0", PERSON),
        ("Mozilla/5.0 (Linux; Android 15; CPH2617 Build/AP3A.240617.008) AppleWebKit/537.36 Chrome/125.0", PERSON),
        ("Outlook-iOS/723.4027091.prod.iphone (4.16.0)", PERSON),
        # as their providers published them
        ("Mozilla/5.0", PREFETCH),
        (
            f"{SYSTEM} Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0",
            PREFETCH,
        ),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", SCANNER),
        ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", SCANNER),
        ("python-requests/2.32.3", SCANNER),
        ("okhttp/4.12.0", SCANNER),
        ("curl/8.5.0", SCANNER),
        (CHROME.replace("Chrome/", "HeadlessChrome/"), SCANNER),
        (None, None),
        ("", None),
        ("  ", None),
        (["Mozilla/5.0"], None),
        (7, None),
    ],
)
def test_who_a_user_agent_is(user_agent: object, who: str | None) -> None:
    assert agent_of(user_agent) == who


@pytest.mark.parametrize("value", ["prefetch", "Prefetch", "prefetch;prerender", "preview", "prerender"])
def test_a_browser_that_loads_ahead_is_no_person(value: str) -> None:
    assert agent_of(CHROME, (value,)) == PREFETCH
    assert agent_of(None, (value,)) == PREFETCH


def test_other_purposes_and_headers_say_nothing() -> None:
    headers = {"Sec-Purpose": "prefetch", "PURPOSE": "x", "Cookie": "prefetch", "X-Moz": "prefetch"}
    assert purposes_of(headers) == ("prefetch", "x", "prefetch")
    assert agent_of(CHROME, ("x", "prefetching")) == PERSON


def test_what_a_provider_found_out_goes_first() -> None:
    assert agent_of(CHROME, flagged=SCANNER) == SCANNER
    assert agent_of("curl/8.5.0", flagged=PERSON) == PERSON


def test_what_is_remembered_cannot_be_read_and_has_a_bound() -> None:
    rules = Agents([])
    for number in range(10_000):
        rules.of(f"{CHROME} Thing/{number}")
    remembered = rules.remembered
    assert len(remembered) <= 4_096
    assert all(isinstance(key, int) for key in remembered)


def test_patterns_are_texts_or_expressions() -> None:
    rules = Agents([r"Mail\.RU_Bot", "^Silk\\/", "[wW]get", r"008\/"])
    assert rules.of("Mozilla/5.0 (Linux) Mail.RU_Bot") == SCANNER
    assert rules.of("Opera/9.80 (MAUI; Opera Mini/4.4.39008/37.9178)") == PERSON


def test_each_takes_a_bounded_time_however_long_and_odd_it_is() -> None:
    """A hostile user agent is cut, and what is left costs some milliseconds at most: 500 a second a core."""
    rng = random.Random(7)
    parts = ["Mozilla/5.0 (", "compatible; ", "LG", "Android", "http", "bot", " ", "Mobile", "a.", "Aa-", "DoCoMo", ";"]
    hostile = ["".join(rng.choices(parts, k=200_000)) for _ in range(20)] + [part * 100_000 for part in parts]
    known_agents().of("warm")
    started = time.process_time()
    for each in hostile:
        known_agents().of(each)
    assert time.process_time() - started < 2, "seed 7"
    assert AGENT_CHARS_MAX <= 512


def test_any_text_is_somebody() -> None:
    rng = random.Random(11)
    for _ in range(2_000):
        text = "x" + "".join(chr(rng.choice([rng.randrange(32, 127), rng.randrange(0x1F600)])) for _ in range(40))
        assert agent_of(text) in {PERSON, PREFETCH, SCANNER}, (11, text)
    assert agent_of("\ud800") == SCANNER or agent_of("\ud800") == PERSON
