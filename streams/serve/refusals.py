"""Why a request is not accepted: a status of HTTP, and a sentence for who sent it, without their keys and values."""

from __future__ import annotations

from http import HTTPStatus
from math import ceil


class Rejected(Exception):
    """The request is answered with a status other than 202."""

    def __init__(
        self, status: HTTPStatus, error: str, *, path: str | None = None, retry_s: float | None = None, allow: str = ""
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.path = path
        """Where in the body the mistake is, such as `batch[3].timestamp`."""
        self.retry_after = None if retry_s is None else max(1, ceil(retry_s))
        self.allow = allow


def wrong(error: str, path: str | None = None) -> Rejected:
    """Return the refusal of a body that can never be accepted, however often it is sent."""
    return Rejected(HTTPStatus.BAD_REQUEST, error, path=path)


def too_large(what: str, most: int) -> Rejected:
    return Rejected(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{what}: at most {most} bytes are allowed")


def too_many(what: str, most: int) -> Rejected:
    return Rejected(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{what}: at most {most} are allowed")


def later(error: str, retry_s: float) -> Rejected:
    """Return the refusal of what could be accepted later."""
    return Rejected(HTTPStatus.SERVICE_UNAVAILABLE, error, retry_s=retry_s)


def too_often(retry_s: float) -> Rejected:
    return Rejected(HTTPStatus.TOO_MANY_REQUESTS, "this key sends more than its rate allows", retry_s=retry_s)
