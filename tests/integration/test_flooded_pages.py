"""Health and metrics answer those who ask, however many others connect, wait, or do not read."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from schemas.limits import WEB_BACKLOG, WEB_CONNECTIONS_MAX, WEB_REQUEST_BYTES_MAX
from streams.demo.servers.server import free_port
from tests.support.files import ROOT
from tests.support.watching import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DESCRIPTORS = 180
FLOOD = 240
PAGES = ("/health/live", "/health/ready", "/metrics")


class Served:
    """A process with a worker's pages and few descriptors."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self.log = log
        command = [sys.executable, "-m", "tests.support.pages_server", str(self.port), str(DESCRIPTORS)]
        with log.open("wb") as errors:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=errors)

    def answers(self) -> bool:
        try:
            asked = [httpx.get(f"http://127.0.0.1:{self.port}{page}", trust_env=False, timeout=10) for page in PAGES]
        except httpx.HTTPError:
            return False
        return all(answer.status_code == httpx.codes.OK for answer in asked)

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def is_well(self) -> bool:
        """Whether it answers, lives, and never lacked a descriptor."""
        return self.answers() and self.process.poll() is None and "Too many open files" not in self.log.read_text()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One process for all floods."""
    server = Served(tmp_path_factory.mktemp("pages") / "log")
    try:
        until(server.answers, "the pages answer", 60)
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def silent(_: socket.socket) -> None:
    """Connect and say nothing."""


def half(connection: socket.socket) -> None:
    """Begin a request and never end it."""
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ")


def kept(connection: socket.socket) -> None:
    """Ask, and keep the connection."""
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")


def unread(connection: socket.socket) -> None:
    """Ask for much, many times, and never read."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)


def endless(connection: socket.socket) -> None:
    """Send headers, as many as the other side takes."""
    for number in range(10 * WEB_REQUEST_BYTES_MAX // 1_000):
        connection.sendall(b"X-%d: %s\r\n" % (number, b"a" * 1_000))
        time.sleep(0.001)


@pytest.mark.parametrize("do", [silent, half, kept, unread])
def test_a_flood_of_connections_leaves_the_pages_and_the_descriptors(
    served: Served, do: Callable[[socket.socket], None]
) -> None:
    with ExitStack() as flood:
        for _ in range(FLOOD):
            connection = flood.enter_context(served.connected())
            try:
                do(connection)
            except OSError:
                continue  # it was closed already
        assert served.answers()
        assert served.descriptors() <= WEB_CONNECTIONS_MAX + 2 * WEB_BACKLOG
        assert served.is_well(), served.log.read_text()


def test_connections_that_come_back_at_once_leave_the_pages(served: Served) -> None:
    with ExitStack() as flood:
        for _ in range(5):
            for _ in range(FLOOD // 4):
                flood.enter_context(served.connected())
            assert served.is_well(), served.log.read_text()


def test_a_request_without_an_end_is_cut_off(served: Served) -> None:
    with served.connected() as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            endless(connection)
    assert served.is_well()


def test_a_connection_may_ask_more_often_than_one_request_may_be_long(served: Served) -> None:
    asked = b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Much: " + b"a" * 8_000 + b"\r\n\r\n"
    with served.connected() as connection:
        for _ in range(2 * WEB_REQUEST_BYTES_MAX // len(asked)):
            connection.sendall(asked)
            assert connection.recv(4_096).startswith(b"HTTP/1.1 200")
