"""A worker's pages alone, in a process of their own: `python -m tests.support.pages_server PORT DESCRIPTORS`."""

from __future__ import annotations

import asyncio
import resource
import sys
import time

import faust

from streams.telemetry.metrics import Metrics
from streams.web.connections import bound_connections
from streams.web.pages import register
from tests.support.engine_status import AnEngine


async def serve(port: int) -> None:
    app = faust.App("pages", broker="kafka://127.0.0.1:1", web_bind="127.0.0.1", web_port=port)
    engine, metrics = AnEngine(polled_s=time.time(), committed_s=time.time()), Metrics()
    metrics.watch(engine)
    bound_connections(app)
    register(app, token="", status=engine, metrics_text=metrics.text, lookup=lambda _: None)
    app.web.init_server()
    await app.web.start_server()  # type: ignore[attr-defined]
    while True:
        await asyncio.sleep(0.2)
        engine.polled_s = time.time()
        with open("/dev/null", "rb"):  # noqa: ASYNC230, PTH123 - as the store opens its files; without a descriptor it raises
            pass


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]),) * 2)
    asyncio.run(serve(int(sys.argv[1])))
