"""A server that is ready once one of its addresses answers."""

from abc import ABC, abstractmethod
from contextlib import closing, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.demo.servers.server import LOCALHOST, Server, free_port

START_SECONDS = 60.0


class HttpServer(ABC):
    """A context manager: inside it the server answers at `address`; after it the process has ended.

    `folder` must exist; it gets the server's data and its log, `<name>.log`. The server dies with the thread that
    started it, unless `outlives_us`. Raises Unavailable or DidNotStart.
    """

    name: str
    ready_path: str

    def __init__(self, folder: Path, *, port: int | None = None, outlives_us: bool = False) -> None:
        self.folder = folder.resolve()
        self.port = port or free_port()
        self.address = f"http://{LOCALHOST}:{self.port}"
        self._outlives_us = outlives_us
        self._server: Server | None = None

    @property
    def pid(self) -> int | None:
        return self._server.pid if self._server else None

    @property
    def exit_code(self) -> int | None:
        return self._server.exit_code if self._server else None

    def log_tail(self) -> str:
        return self._server.log_tail() if self._server else ""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the program and arguments that make it listen on `port` of the loopback interface."""

    def page(self, path: str, seconds: float) -> str | None:
        """Return the text of a page; None where nothing answers within `seconds`, or not with 200."""
        connection = HTTPConnection(LOCALHOST, self.port, timeout=seconds)
        with suppress(OSError, HTTPException), closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            if answer.status == HTTPStatus.OK:
                return str(answer.read(), "utf-8")
        return None

    def home(self) -> Path:
        """Return the folder that the program expects to run in."""
        return self.folder

    def start(self) -> None:
        log = self.folder / f"{self.name}.log"
        self._server = Server(self.command(), log, folder=self.home(), outlives_us=self._outlives_us)
        self._server.wait_until(self._answers, START_SECONDS)

    def stop(self) -> None:
        if self._server:
            self._server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        return self.page(self.ready_path, 2.0) is not None
