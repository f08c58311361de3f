"""The body of a request, as it comes or unpacked from gzip, with a bound for its size and for the time it takes."""

from __future__ import annotations

import asyncio
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from streams.serve.limits import BODY_SECONDS
from streams.serve.refusals import Rejected, too_large, wrong

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest

GZIP: Final = "gzip"
_GZIP_HEADER: Final = 16 + zlib.MAX_WBITS
_JSON_TYPES: Final = frozenset({"application/json", "text/plain"})
"""text/plain is what a browser's sendBeacon sends, and Amazon SNS."""


def check_type(content_type: str | None) -> None:
    """Raise Rejected (415) for a type that is not JSON's; without any it is taken for JSON."""
    if content_type is None or content_type in {"application/json", "text/plain;charset=UTF-8"}:
        return
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _JSON_TYPES or (kind.startswith("application/") and kind.endswith("+json")):
        return
    raise Rejected(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body has to be JSON: send it with Content-Type: application/json"
    )


async def read_body(request: BaseRequest, bytes_max: int) -> bytes:
    """Return the body, unpacked.

    Raises:
        Rejected: it is larger than bytes_max (413), not gzip though it says so (400), of another encoding (415), or not
            there in time (408).
    """
    encoding = request.headers.get("Content-Encoding")
    length = request.content_length
    if length is not None and length > bytes_max:
        raise too_large("the body", bytes_max)
    content = request.content
    body = content.read_nowait() if content.is_eof() else await _read_slowly(request, bytes_max)
    if len(body) > bytes_max:
        raise too_large("the body", bytes_max)
    if encoding is None or encoding == "identity":
        return body
    if encoding.lower() != GZIP:
        raise Rejected(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Encoding: only gzip is known")
    return _unpacked(body, bytes_max)


async def _read_slowly(request: BaseRequest, bytes_max: int) -> bytes:
    if request.headers.get("Expect", "").lower() == "100-continue":
        # a client such as curl would wait a second for it; the answer proper has not begun with this
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    parts = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while part := await request.content.readany():
                size += len(part)
                if size > bytes_max:
                    raise too_large("the body", bytes_max)
                parts.append(part)
    except TimeoutError:
        raise Rejected(HTTPStatus.REQUEST_TIMEOUT, f"the body took more than {BODY_SECONDS:.0f} s") from None
    return b"".join(parts)


def _unpacked(body: bytes, bytes_max: int) -> bytes:
    """Return what gzip packed: one stream, and never more than bytes_max and one byte of it."""
    unpacking = zlib.decompressobj(wbits=_GZIP_HEADER)
    try:
        found = unpacking.decompress(body, bytes_max + 1)
    except zlib.error:
        raise wrong("the body is not gzip, though Content-Encoding says so") from None
    if len(found) > bytes_max:
        raise too_large("the body, unpacked", bytes_max)
    if not unpacking.eof or unpacking.unused_data:
        raise wrong("the body is not one whole gzip stream")
    return found
