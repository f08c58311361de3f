"""This machine and the worker's own settings."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from state.rocksdb import RocksDBStore
from streams.doctor.finding import fail, ok, warn
from streams.web.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.doctor.finding import Finding
    from streams.worker_settings import WorkerSettings

_MB = 1 << 20
FREE_BYTES_MIN = 256 * _MB
ROOM_BYTES = 1024 * _MB
"""Room for compactions, write-ahead logs and growth, beside the state."""


def check_settings(settings: WorkerSettings) -> Iterator[Finding]:
    yield ok(
        "settings",
        f"prefix {settings.prefix}, instance {settings.instance} ({settings.membership}), {settings.guarantee}, "
        f"transaction timeout {settings.transaction_timeout_ms} ms, session timeout {settings.session_timeout_ms} ms",
    )
    if is_loopback(settings.web_host) or settings.web_token:
        asked = "asks for the token" if settings.web_token else "no token"
        yield ok("web", f"{settings.web_host}:{settings.web_port}, {asked}")
    else:
        yield warn(
            "web",
            f"{settings.web_host}:{settings.web_port} has no token, so that other machines see its health only",
            "set TOUCHSTREAM_WEB_TOKEN_FILE, so that Prometheus can read metrics, or TOUCHSTREAM_WEB_HOST=127.0.0.1",
        )
    yield from _check_transport(settings)


def _check_transport(settings: WorkerSettings) -> Iterator[Finding]:
    kafka = settings.kafka
    protocol = kafka.get("security.protocol", "PLAINTEXT").upper()
    is_far = not all(is_loopback(broker.rpartition(":")[0]) for broker in settings.brokers.split(","))
    if protocol.endswith("PLAINTEXT") and is_far:
        yield warn(
            "transport",
            f"{protocol} to {settings.brokers}: the network can read customers' data",
            "have the brokers listen with TLS and set TOUCHSTREAM_KAFKA_SECURITY_PROTOCOL (deploy/guide/security.md)",
        )
    elif kafka.get("enable.ssl.certificate.verification") == "false":
        yield warn(
            "transport",
            f"{protocol} without checking the brokers' certificate: anyone could pretend to be a broker",
            "name their certificate authority in TOUCHSTREAM_KAFKA_SSL_CA_LOCATION and remove "
            "TOUCHSTREAM_KAFKA_ENABLE_SSL_CERTIFICATE_VERIFICATION",
        )
    else:
        yield ok("transport", f"{protocol} to {settings.brokers}")


def check_disk(settings: WorkerSettings) -> Iterator[Finding]:
    state = settings.state_dir / settings.prefix / settings.instance
    there = next(path for path in (state, *state.absolute().parents) if path.exists())
    try:
        _try_store(there)
    except Exception as error:  # noqa: BLE001 - rocksdict has no type of its own for what RocksDB reports
        yield fail(
            "state",
            f"state cannot be stored in {there}: {error}",
            "let the worker's user write there, or set TOUCHSTREAM_STATE_DIR to another folder",
        )
        return
    yield ok("state", f"RocksDB opens, writes and reads in {there}")
    yield judge_room(there, free_bytes=shutil.disk_usage(there).free, state_bytes=_size(state))


def _try_store(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder, prefix=".doctor-") as work:
        path = Path(work) / "store"
        store = RocksDBStore(path)
        # a record begins with its due time; this one has none
        store.write([(b"key", bytes(16))], position=1)
        store.close()
        again = RocksDBStore(path)
        kept = again.get(b"key")
        again.close()
        if kept != bytes(16):
            raise OSError("what was written is not what is read")


def judge_room(folder: Path, *, free_bytes: int, state_bytes: int) -> Finding:
    seen = f"{_shown(free_bytes)} free in {folder}, the state takes {_shown(state_bytes)}"
    advice = "free some space, or set TOUCHSTREAM_STATE_DIR to a larger disk; the state is rebuilt there from Kafka"
    if free_bytes < FREE_BYTES_MIN:
        return fail("disk", seen, advice)
    if free_bytes < state_bytes + ROOM_BYTES:
        return warn("disk", f"{seen}: too little to write the whole state again", advice)
    return ok("disk", seen)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        # a running worker's compaction removes files
        with suppress(OSError):
            total += path.lstat().st_size
    return total


def _shown(size: int) -> str:
    return f"{size / _MB:,.0f} MB"
