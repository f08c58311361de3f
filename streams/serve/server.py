"""A process of the door: it opens a prefix, listens, and at SIGTERM ends what is under way."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiohttp import web

from streams.operations.prefix import open_prefix
from streams.serve.connections import Connections, bounded
from streams.serve.door import Door
from streams.serve.limits import BACKLOG, HEADER_BYTES_MAX, HEADERS_MAX, IDLE_SECONDS, UNREAD_BYTES
from streams.serve.metrics import DoorMetrics
from streams.serve.outlet import Outlet
from streams.serve.pages import CLOSED, Pages
from streams.telemetry import logs
from streams.topics import Topics
from streams.web.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.serve.settings import Config, ServeSettings
    from streams.worker_settings import WorkerSettings

LINGER_SECONDS: Final = 2.0
"""For how long the rest of a body is read and thrown away, so that the client hears why it was refused."""
YOUNG_OBJECTS: Final = 10_000
"""New objects, less those that are gone, after which garbage is looked for. A call keeps none."""
_log = structlog.get_logger(__name__)


class _Quiet(logging.LoggerAdapter[logging.Logger]):
    """What aiohttp has to say, without the caller's address, headers and values that it quotes."""

    def __init__(self, metrics: DoorMetrics) -> None:
        super().__init__(logging.getLogger(__name__))
        self._metrics = metrics

    def log(self, level: int, msg: object, *args: object, **said: Any) -> None:  # noqa: ANN401, ARG002 - as logging has it
        error = said.get("exc_info")
        if level < logging.ERROR or not isinstance(error, BaseException):
            return
        if isinstance(error, web.HTTPException) or type(error).__module__.startswith("aiohttp"):
            # a request that is not HTTP, which anyone may send
            self._metrics.refused("", HTTPStatus.BAD_REQUEST)
            return
        self._metrics.refused("", HTTPStatus.INTERNAL_SERVER_ERROR)
        _log.error("a request failed", error=type(error).__name__, place=_place_of(error))


def _place_of(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"


def make_server(door: Door, metrics: DoorMetrics) -> web.Server:
    """Return aiohttp's own server, without what an application would add to each request."""
    return web.Server(
        door.answer,
        access_log=None,
        logger=_Quiet(metrics),
        auto_decompress=False,
        keepalive_timeout=IDLE_SECONDS,
        lingering_time=LINGER_SECONDS,
        max_field_size=HEADER_BYTES_MAX,
        max_headers=HEADERS_MAX,
        max_line_size=HEADER_BYTES_MAX,
        read_bufsize=UNREAD_BYTES,
    )


class Serving:
    """A server that listens, with what it is made of."""

    def __init__(self, settings: ServeSettings, config: Config, outlet: Outlet, metrics: DoorMetrics) -> None:
        self._settings = settings
        self._outlet = outlet
        self.pages = Pages(settings, outlet, metrics)
        self.connections = Connections(settings.connections_max)
        self._server = make_server(Door(config, outlet, metrics, self.pages), metrics)
        metrics.watch(
            lambda: outlet.held_bytes,
            lambda: len(self.connections.open),
            lambda: float(self.pages.unready_reason() is None),
        )

    async def start(self) -> None:
        self._outlet.start()
        loop = asyncio.get_running_loop()
        made = bounded(self._server, self.connections)
        self._listening = await loop.create_server(made, self._settings.host, self._settings.port, backlog=BACKLOG)
        self._sweeping = asyncio.create_task(self.connections.sweep())

    async def stop(self) -> int:
        """Take no more, end what is under way, and return how many records Kafka has not acknowledged."""
        self.pages.is_stopping = True
        self._listening.close()
        self._server.pre_shutdown()
        await self._server.shutdown(self._settings.stop_seconds_max)
        self._sweeping.cancel()
        await asyncio.gather(self._sweeping, return_exceptions=True)
        return await self._outlet.stop(self._settings.stop_seconds_max)


def serve(worker: WorkerSettings, settings: ServeSettings, config: Config) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        NotCreated: the prefix has no topics, or no settings in them.
        SettingsError: the address cannot be listened on.
    """
    logs.configure(worker.log_level, worker.log_format)
    place = Topics(worker.prefix).touchpoints, open_prefix(worker).domain.touchpoint_partitions
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(worker, settings, config, place))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's, which takes half as many calls again, or None where it is not installed."""
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made


def collect_less() -> None:
    """Look for garbage less often, and never among what was imported, which takes longer than a thousand calls."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


async def _serve(worker: WorkerSettings, settings: ServeSettings, config: Config, place: tuple[str, int]) -> None:
    metrics = DoorMetrics()
    outlet = Outlet(worker, settings, place, metrics.acknowledged)
    serving = Serving(settings, config, outlet, metrics)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serving.start()
    collect_less()
    if not settings.token and not is_loopback(settings.host):
        _log.warning(CLOSED)
    _log.info("listening", port=settings.port, keys=len(config.keys), sources=len(config.sources))
    await stop.wait()
    lost = await serving.stop()
    _log.info("stopped", not_acknowledged=lost)
