"""Logs are JSON lines without secrets, whichever module writes them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from streams.collect.addresses import address_hash
from streams.telemetry.logs import HIDDEN, redact

WRITER = """
import logging
import structlog
from streams.telemetry.logs import configure
configure("info", "{format}")
log = structlog.get_logger("streams.test")
log.info("restored", partition=3, client={{"sasl.password": "hush", "bootstrap.servers": "b:9092"}})
log.debug("not shown")
logging.getLogger("confluent").warning("broker %s", "b:9092")
logging.getLogger("faust.app").info("joined")
try:
    raise ValueError("password=hush")
except ValueError:
    log.exception("failed")
try:
    raise KeyError("Jane <jane@x.de>")
except KeyError:
    log.exception("failed with jane%40x.de")
"""


def written(fmt: str) -> str:
    done = subprocess.run([sys.executable, "-c", WRITER.format(format=fmt)], check=True, capture_output=True, text=True)
    assert done.stdout == ""
    return done.stderr


def test_structlog_and_the_standard_library_write_one_json_object_a_line() -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in written("json").splitlines()]
    assert [line["event"] for line in lines] == [
        "restored",
        "broker b:9092",
        "joined",
        "failed",
        f"failed with {address_hash('jane@x.de')}",
    ]
    assert lines[0]["partition"] == 3
    assert lines[0]["client"] == {"sasl.password": HIDDEN, "bootstrap.servers": "b:9092"}
    assert lines[0]["logger"] == "streams.test"
    assert lines[1]["level"] == "warning"
    assert "ValueError" in lines[3]["exception"]


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_no_secret_is_written_in_any_format(fmt: str) -> None:
    assert "hush" not in written(fmt)


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer hush",
        "sasl.password=hush",
        "{'web_token': 'hush'}",
        "secret: hush, x",
        "https://me:hush@registry",
    ],
)
def test_what_follows_a_secrets_name_in_a_text_is_hidden(text: str) -> None:
    event = redact(None, "info", {"event": text, "web_token": "hush", "nested": [{"ssl.key.password": "hush"}]})
    assert "hush" not in str(event)


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_no_address_that_an_error_quotes_is_written_in_any_format(fmt: str) -> None:
    lines = written(fmt)
    assert "jane" not in lines
    assert "failed with" in lines


def test_addresses_and_phone_numbers_are_hidden_at_any_depth_and_times_stay() -> None:
    given = {
        "event": "call +49 30 123456",
        "who": ["ann@x.de"],
        "timestamp": "2026-11-30T14:00:09.123456Z",
        "at": "10.0.0.1:9092",
    }
    event = redact(None, "info", dict(given))
    assert event == {**given, "event": "call [phone]", "who": [address_hash("ann@x.de")]}
