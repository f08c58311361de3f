"""An OAuth server for tests: it gives a client that knows its secret a token, which nobody signed."""

from __future__ import annotations

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from streams.demo.servers.server import LOCALHOST

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_HOUR_S = 3_600


class Tokens:
    """Inside it `url` is a token endpoint for the grant `client_credentials`; `clients` are secrets by id."""

    def __init__(self, clients: dict[str, str]) -> None:
        self._server = ThreadingHTTPServer((LOCALHOST, 0), _handler(clients))
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://{LOCALHOST}:{self._server.server_port}/token"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(clients: dict[str, str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            basic = self.headers.get("Authorization", "").removeprefix("Basic ")
            client, _, secret = base64.b64decode(basic).decode().partition(":")
            is_known = clients.get(client) == secret
            answer = {"access_token": _token(client)} if is_known else {"error": "invalid_client"}
            self.send_response(200 if is_known else 401)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    return Handler


def _token(subject: str) -> str:
    """An unsecured JWT (RFC 7519, section 6)."""
    now_s = int(time.time())
    claims = {"sub": subject, "iat": now_s, "exp": now_s + _HOUR_S, "scope": "kafka"}
    parts = (json.dumps(each).encode() for each in ({"alg": "none"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."
