"""A worker's pages over HTTP, on Faust's own web server, without Kafka."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, cast

import faust
import pytest
from aiohttp.test_utils import TestClient, TestServer

from streams.telemetry.metrics import Metrics
from streams.web.pages import NotOwned, authorised, register, show_health_only
from streams.web.readiness import unready_reason
from tests.support.engine_status import JOURNAL, AnEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

TOKEN = "s3cret"  # noqa: S105 - of a test
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def an_engine(**told: Any) -> AnEngine:
    """One that has just polled and committed, unless said otherwise."""
    return AnEngine(**{"polled_s": time.time(), "committed_s": time.time(), **told})


def lookup(customer: str) -> dict[str, Any] | None:
    if customer == "u:elsewhere":
        raise NotOwned(3)
    return {"customer": customer, "segment": "Loyal"} if customer == "u:a/b c" else None


def pages(engine: AnEngine, token: str = "", *, is_open: bool = False) -> web.Application:
    app = faust.App("pages", broker="kafka://127.0.0.1:1")
    metrics = Metrics()
    metrics.watch(engine)
    register(app, token=token, status=engine, metrics_text=metrics.text, lookup=lookup)
    if is_open and not token:
        show_health_only(app)
    app.web.init_server()
    return cast("web.Application", cast("Any", app.web).web_app)


def ask(served: web.Application, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    async def asked() -> tuple[int, str]:
        async with TestClient(TestServer(served)) as client:
            answer = await client.get(path, headers=headers)
            return answer.status, await answer.text()

    return asyncio.run(asked())


def test_a_restored_worker_that_polls_is_ready() -> None:
    assert ask(pages(an_engine()), "/health/ready") == (200, '{"status": "ready"}')


@pytest.mark.parametrize(
    ("begun", "reason"),
    [
        (lambda: an_engine(share=0.25, ready=False), "restoring t.journal/0 (25%)"),
        (lambda: an_engine(silent_s=47.0), "the brokers have not answered for 47 s"),
        (lambda: an_engine(ready=False), "not a member of the group"),
        (lambda: an_engine(polled_s=time.time() - 60), "poller"),
        (lambda: an_engine(owned={JOURNAL: 7}, committed_s=time.time() - 120), "7 records wait"),
    ],
)
def test_a_worker_that_cannot_work_says_why_and_stays_alive(begun: Callable[[], AnEngine], reason: str) -> None:
    engine = begun()
    status, text = ask(pages(engine), "/health/ready")
    assert status == 503
    assert reason in text
    assert ask(pages(engine), "/health/live")[0] == 200


def test_an_idle_worker_stays_ready_without_commits() -> None:
    assert unready_reason(an_engine(committed_s=0.0), time.time()) is None


def test_prometheus_reads_the_metrics() -> None:
    status, text = ask(pages(an_engine()), "/metrics")
    assert status == 200
    assert 'touchstream_lag_records{partition="0",topic="t.journal"} 0.0' in text


def test_a_profile_is_shown_where_it_lives() -> None:
    served = an_engine()
    assert ask(pages(served), "/profile/u:a%2Fb%20c") == (200, '{"customer": "u:a/b c", "segment": "Loyal"}')
    assert ask(pages(served), "/profile/u:nobody")[0] == 404
    status, text = ask(pages(served), "/profile/u:elsewhere")
    assert status == 421
    assert "partition 3" in text


@pytest.mark.parametrize("path", ["/health/ready", "/metrics", "/profile/u:1", "/", "/router", "/nowhere"])
def test_with_a_token_every_page_but_live_asks_for_it(path: str) -> None:
    served = an_engine()
    status, text = ask(pages(served, TOKEN), path)
    assert status == 401
    assert TOKEN not in text
    assert ask(pages(served, TOKEN), path, {"Authorization": "Bearer wrong"})[0] == 401
    assert ask(pages(served, TOKEN), path, BEARER)[0] != 401


@pytest.mark.parametrize("path", ["/metrics", "/profile/u:1", "/", "/router", "/nowhere", "/health/live/"])
def test_without_a_token_other_machines_see_health_only(path: str) -> None:
    served = pages(an_engine(), is_open=True)
    status, text = ask(served, path, BEARER)
    assert status == 403
    assert "TOUCHSTREAM_WEB_TOKEN_FILE" in text


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_without_a_token_other_machines_see_health(path: str) -> None:
    assert ask(pages(an_engine(), is_open=True), path)[0] == 200


def test_live_never_asks_for_the_token() -> None:
    assert ask(pages(an_engine(), TOKEN), "/health/live")[0] == 200


@pytest.mark.parametrize("header", [None, "", TOKEN, "Basic s3cret", "Bearer ", f"Bearer {TOKEN} ", "Bearer \udcff"])
def test_only_the_exact_bearer_token_passes(header: str | None) -> None:
    assert not authorised(header, TOKEN)
    assert authorised(f"Bearer {TOKEN}", TOKEN)
    assert authorised(header, "")
