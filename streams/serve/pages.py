"""What the door shows: is it alive, is it ready, its metrics, and the script for a shop's pages."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

from aiohttp import web

from streams.web.hosts import is_loopback
from streams.web.pages import LIVE, METRICS, METRICS_TYPE, READY, authorised

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.web_request import BaseRequest

    from streams.serve.metrics import DoorMetrics
    from streams.serve.outlet import Outlet
    from streams.serve.settings import ServeSettings

    Page = Callable[[BaseRequest], web.Response]

SCRIPT: Final = "/v1/touchstream.js"
_SCRIPT_HEADERS: Final = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
CLOSED: Final = "other machines reach this door, and it has no token for its metrics: set TOUCHSTREAM_SERVE_TOKEN_FILE"


class Pages:
    """The pages by their paths."""

    def __init__(self, settings: ServeSettings, outlet: Outlet, metrics: DoorMetrics) -> None:
        self.is_stopping = False
        self._token = settings.token
        self._is_open = bool(settings.token) or is_loopback(settings.host)
        self._outlet = outlet
        self._metrics = metrics
        self._script = files("streams.serve").joinpath("touchstream.js").read_bytes()
        self._by_path: dict[str, Page] = {
            LIVE: lambda _: web.json_response({"status": "live"}),
            READY: self._ready,
            METRICS: self._show_metrics,
            SCRIPT: self._show_script,
        }

    def find(self, path: str) -> Page | None:
        return self._by_path.get(path)

    def unready_reason(self) -> str | None:
        """Return None if calls are accepted, or else one sentence."""
        if self.is_stopping:
            return "stopping"
        return "Kafka does not answer" if self._outlet.is_away() else None

    def _ready(self, _: BaseRequest) -> web.Response:
        reason = self.unready_reason()
        if reason is None:
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "not ready", "reason": reason}, status=503)

    def _show_metrics(self, request: BaseRequest) -> web.Response:
        if not self._is_open:
            return web.json_response({"error": CLOSED}, status=403)
        if not authorised(request.headers.get("Authorization"), self._token):
            refusal = {"error": "this page needs the header Authorization: Bearer <token>"}
            return web.json_response(refusal, status=401, headers={"WWW-Authenticate": "Bearer"})
        return web.Response(body=self._metrics.text(), headers={"Content-Type": METRICS_TYPE})

    def _show_script(self, _: BaseRequest) -> web.Response:
        return web.Response(body=self._script, content_type="text/javascript", charset="utf-8", headers=_SCRIPT_HEADERS)
