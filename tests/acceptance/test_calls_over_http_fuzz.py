"""Whatever is sent over HTTP, the answer is one of a few and never 500, and memory does not grow with it."""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.door import BROWSER_KEY, KEY, SHOP, a_track, basic, with_a_door

if TYPE_CHECKING:
    from tests.support.door import ADoor

pytestmark = pytest.mark.acceptance

ANSWERS = {200, 202, 204, 400, 401, 403, 404, 405, 408, 413, 415, 429}
QUICK, WHOLE = 2_000, 100_000
AT_ONCE = 16
GROWTH_MAX = 24 * 1024 * 1024
"""Of the process's memory between the first fifth and the end."""
PATHS = [f"/v1/{kind}" for kind in ("track", "page", "screen", "identify", "alias", "group", "batch", "batch", "buy")]
PATHS += ["/in/till", "/in/other", "/v1/", "/", "/v1/track?x=1", "/v1/track/", "/in/", "/v1/%2e%2e/metrics"]
NAMES = [
    "event",
    "messageId",
    "userId",
    "anonymousId",
    "timestamp",
    "sentAt",
    "properties",
    "traits",
    "context",
    "type",
]
NAMES += ["batch", "writeKey", "receivedAt", "originalTimestamp", "previousId", "groupId", "name", "", "\u0000", "ip"]
TEXTS = [
    "",
    "x",
    "track",
    "page",
    "2026-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999999Z",
]
TEXTS += ["\u0000", "\U0001f600", "\u202e", KEY, "ada@example.org", "null", "{{id}}", "-1", "x" * 5_000, "2026-W01-1"]
NUMBERS = [0, -0.0, 1, 7.0, 1e308, -1e-300, 2**53 + 1, 10**40, -(10**25), 0.1]


def a_value(random: Random, depth: int = 0) -> Any:
    kind = random.randrange(9 if depth < 4 else 6)
    if kind < 2:
        return random.choice(TEXTS)
    if kind < 4:
        return random.choice(NUMBERS)
    if kind < 6:
        return random.choice([None, True, False])
    if kind == 6:
        return [a_value(random, depth + 1) for _ in range(random.randrange(5))]
    return {random.choice(NAMES): a_value(random, depth + 1) for _ in range(random.randrange(6))}


def a_body(random: Random) -> bytes:
    """A right call, one with a field of any kind, or any JSON; then cut, spoilt, or nested."""
    call = a_track(random.randrange(100), type="track")
    for _ in range(random.randrange(3)):
        call[random.choice(NAMES)] = a_value(random)
    document: Any = call if random.random() < 0.6 else a_value(random)
    if random.random() < 0.4:
        document = {"batch": [document, call] * random.randrange(1, 4), random.choice(NAMES): a_value(random)}
    body = json.dumps(document).encode()
    match random.randrange(12):
        case 0:
            return body[: random.randrange(len(body) + 1)]
        case 1:
            at = random.randrange(len(body))
            return body[:at] + random.randbytes(random.randrange(1, 5)) + body[at + 1 :]
        case 2:
            return random.randbytes(random.randrange(300))
        case 3:
            depth = random.choice([50, 99, 101, 2_000, 100_000])
            return b'{"event":"x","properties":' + b'{"a":' * depth + b"1" + b"}" * (depth + 1)
        case _:
            return body


def headers_of(random: Random, body: bytes) -> tuple[bytes, dict[str, str]]:
    headers = {"Content-Type": random.choice(["application/json"] * 20 + ["text/plain", "text/html", "", "x" * 900])}
    keys = [basic(KEY)] * 30 + [
        basic(BROWSER_KEY),
        basic("x"),
        "Basic",
        "Bearer a-key-of-the-till-1",
        "Basic \u00ff",
        "",
    ]
    headers["Authorization"] = random.choice(keys)
    if random.random() < 0.05:
        headers["Origin"] = random.choice([SHOP, "null", "https://other.example", "*"])
    if random.random() < 0.2:
        headers["Content-Encoding"] = random.choice(["gzip"] * 9 + ["br", "identity", "gzip, gzip"])
        if headers["Content-Encoding"] == "gzip" and random.random() < 0.8:
            body = gzip.compress(body if random.random() < 0.9 else b" " * 5_000_000, 1)
    return body, headers


def memory_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize()


async def fuzz(door: ADoor, seed: int, count: int) -> Counter[int]:
    answers: Counter[int] = Counter()
    early = 0

    async def ask(random: Random) -> None:
        body, headers = headers_of(random, a_body(random))
        method = random.choice(["POST"] * 30 + ["GET", "PUT", "OPTIONS", "HEAD"])
        named = {name.replace("-", "_"): value for name, value in headers.items()}
        answer = await door.asked(method, random.choice(PATHS[:8] * 8 + PATHS), body, **named)
        answers[answer.status] += 1

    random = Random(seed)
    for number in range(0, count, AT_ONCE):
        await asyncio.gather(*(ask(Random(random.random())) for _ in range(AT_ONCE)))
        # the test would hold what it had sent
        door.sent.clear()
        if number <= count // 5:
            early = memory_bytes()
    assert memory_bytes() - early < GROWTH_MAX
    assert (await door.call("track", a_track())).status == 202
    return answers


def check(seed: int, count: int) -> None:
    found: list[Counter[int]] = []

    async def use(door: ADoor) -> None:
        found.append(await fuzz(door, seed, count))
        metrics = door.metrics.text().decode()
        assert 'status="500"' not in metrics
        assert "touchstream_serve_unacknowledged_bytes 0.0" in metrics

    with_a_door(use)
    (answers,) = found
    print(dict(answers))  # noqa: T201 - for the reader
    assert answers.keys() <= ANSWERS
    assert answers[202] > count // 20
    assert answers[400] > count // 10


def test_two_thousand_bodies(seed: int) -> None:
    check(seed, QUICK)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_a_hundred_thousand_bodies(seed: int) -> None:
    check(seed, WHOLE)
