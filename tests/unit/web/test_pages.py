"""A worker's pages over HTTP, on Faust's own web server, without Kafka."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import faust
import pytest
from aiohttp.test_utils import TestClient, TestServer

from streams.telemetry.metrics import Metrics
from streams.web.pages import NotOwned, authorised, register
from streams.web.readiness import unready_reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

TOKEN = "s3cret"  # noqa: S105 - of a test
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class Engine:
    ready: bool = True
    polled_s: float = field(default_factory=time.time)
    committed_s: float = field(default_factory=time.time)
    commits: int = 1
    aborts: int = 0
    restore_s: float = 0.0
    unsent: int = 0
    lag: int = 0
    share: float = 1.0

    def lags(self) -> dict[tuple[str, int], int]:
        return {("t.journal", 0): self.lag}

    def restored(self) -> dict[tuple[str, int], float]:
        return {("t.journal", 0): self.share}


def lookup(customer: str) -> dict[str, Any] | None:
    if customer == "u:elsewhere":
        raise NotOwned(3)
    return {"customer": customer, "segment": "Loyal"} if customer == "u:a/b c" else None


def pages(engine: Engine, token: str = "") -> web.Application:
    app = faust.App("pages", broker="kafka://127.0.0.1:1")
    metrics = Metrics()
    metrics.watch(engine)
    register(app, token=token, status=engine, metrics_text=metrics.text, lookup=lookup)
    app.web.init_server()
    return cast("web.Application", cast("Any", app.web).web_app)


def ask(served: web.Application, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    async def asked() -> tuple[int, str]:
        async with TestClient(TestServer(served)) as client:
            answer = await client.get(path, headers=headers)
            return answer.status, await answer.text()

    return asyncio.run(asked())


def test_a_restored_worker_that_polls_is_ready() -> None:
    assert ask(pages(Engine()), "/health/ready") == (200, '{"status": "ready"}')


@pytest.mark.parametrize(
    ("begun", "reason"),
    [
        (lambda: Engine(share=0.25, ready=False), "restoring t.journal/0 (25%)"),
        (lambda: Engine(ready=False), "no seat"),
        (lambda: Engine(polled_s=time.time() - 60), "poller"),
        (lambda: Engine(lag=7, committed_s=time.time() - 120), "7 records wait"),
    ],
)
def test_a_worker_that_cannot_work_says_why_and_stays_alive(begun: Callable[[], Engine], reason: str) -> None:
    engine = begun()
    status, text = ask(pages(engine), "/health/ready")
    assert status == 503
    assert reason in text
    assert ask(pages(engine), "/health/live")[0] == 200


def test_an_idle_worker_stays_ready_without_commits() -> None:
    assert unready_reason(Engine(lag=0, committed_s=0.0), time.time()) is None


def test_prometheus_reads_the_metrics() -> None:
    status, text = ask(pages(Engine()), "/metrics")
    assert status == 200
    assert 'touchstream_lag_records{partition="0",topic="t.journal"} 0.0' in text


def test_a_profile_is_shown_where_it_lives() -> None:
    served = Engine()
    assert ask(pages(served), "/profile/u:a%2Fb%20c") == (200, '{"customer": "u:a/b c", "segment": "Loyal"}')
    assert ask(pages(served), "/profile/u:nobody")[0] == 404
    status, text = ask(pages(served), "/profile/u:elsewhere")
    assert status == 421
    assert "partition 3" in text


@pytest.mark.parametrize("path", ["/health/ready", "/metrics", "/profile/u:1", "/", "/router", "/nowhere"])
def test_with_a_token_every_page_but_live_asks_for_it(path: str) -> None:
    served = Engine()
    status, text = ask(pages(served, TOKEN), path)
    assert status == 401
    assert TOKEN not in text
    assert ask(pages(served, TOKEN), path, {"Authorization": "Bearer wrong"})[0] == 401
    assert ask(pages(served, TOKEN), path, BEARER)[0] != 401


def test_live_never_asks_for_the_token() -> None:
    assert ask(pages(Engine(), TOKEN), "/health/live")[0] == 200


@pytest.mark.parametrize("header", [None, "", TOKEN, "Basic s3cret", "Bearer ", f"Bearer {TOKEN} ", "Bearer \udcff"])
def test_only_the_exact_bearer_token_passes(header: str | None) -> None:
    assert not authorised(header, TOKEN)
    assert authorised(f"Bearer {TOKEN}", TOKEN)
    assert authorised(header, "")
