"""A worker's pages over HTTP: is it alive, is it ready, its metrics, and a customer's profile."""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING, Any, cast

import structlog
from aiohttp import web

from streams.web.readiness import unready_reason

if TYPE_CHECKING:
    from collections.abc import Callable

    import faust
    from aiohttp.typedefs import Handler, Middleware

    from streams.telemetry.metrics import EngineStatus

_log = structlog.get_logger(__name__)
LIVE = "/health/live"
READY = "/health/ready"
METRICS = "/metrics"
PROFILE = "/profile/{customer}"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BEARER = "Bearer "
CLOSED = (
    "other machines reach this worker, and it has no token, so it shows its health only: "
    "set TOUCHSTREAM_WEB_TOKEN_FILE, or TOUCHSTREAM_WEB_HOST=127.0.0.1"
)


class NotOwned(Exception):
    """Another worker owns the customer's journal partition."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"another worker of the group owns journal partition {partition}")
        self.partition = partition


def register(
    app: faust.App,
    *,
    token: str,
    status: EngineStatus,
    metrics_text: Callable[[], bytes],
    lookup: Callable[[str], dict[str, Any] | None],
) -> None:
    """Put the pages on Faust's web server, before it starts.

    With a token every page except /health/live, also Faust's own, answers 401 without `Authorization: Bearer <token>`.
    `lookup` takes a customer's key, such as `u:<user_id>`, and returns the public view of the profile, or None. It
    raises NotOwned if another worker owns it.
    """

    async def live(_request: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def ready(_request: web.Request) -> web.Response:
        reason = unready_reason(status, time.time())
        if reason is None:
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "not ready", "reason": reason}, status=503)

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=metrics_text(), headers={"Content-Type": METRICS_TYPE})

    async def profile(request: web.Request) -> web.Response:
        return _profile(request.match_info["customer"], lookup)

    served: web.Application = cast("Any", app.web).web_app  # Faust's driver is aiohttp's
    served.middlewares.append(guard(token))
    for path, handler in ((LIVE, live), (READY, ready), (METRICS, metrics), (PROFILE, profile)):
        served.router.add_get(path, handler)


def show_health_only(app: faust.App) -> None:
    """Have every page but the two of health answer 403, before the server starts; say so in the log."""
    _log.warning(CLOSED, shown=[LIVE, READY])
    served: web.Application = cast("Any", app.web).web_app
    served.middlewares.append(closed)


def authorised(header: str | None, token: str) -> bool:
    """Return whether an Authorization header has the token, in the same time for a wrong one as for the right one."""
    if not token:
        return True
    given = header.removeprefix(BEARER) if header and header.startswith(BEARER) else ""
    return hmac.compare_digest(given.encode(errors="surrogateescape"), token.encode())


def guard(token: str) -> Middleware:
    """Return middleware that admits only bearers of the token, and anyone to /health/live."""

    @web.middleware
    async def ask_for_token(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != LIVE and not authorised(request.headers.get("Authorization"), token):
            refusal = {"error": "this page needs the header Authorization: Bearer <token>"}
            return web.json_response(refusal, status=401, headers={"WWW-Authenticate": "Bearer"})
        return await handler(request)

    return ask_for_token


@web.middleware
async def closed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Admit anyone to health, and nobody to anything else."""
    if request.path not in {LIVE, READY}:
        return web.json_response({"error": CLOSED}, status=403)
    return await handler(request)


def _profile(customer: str, lookup: Callable[[str], dict[str, Any] | None]) -> web.Response:
    try:
        found = lookup(customer)
    except NotOwned as elsewhere:
        answer = {"error": str(elsewhere), "partition": elsewhere.partition}
        return web.json_response(answer, status=421)
    if found is None:
        return web.json_response({"error": "there is no profile with this key; keys look like u:<user_id>"}, status=404)
    return web.json_response(found)
