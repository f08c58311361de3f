"""Logs are JSON lines without secrets, whichever module writes them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

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
"""


def written(fmt: str) -> str:
    done = subprocess.run([sys.executable, "-c", WRITER.format(format=fmt)], check=True, capture_output=True, text=True)
    assert done.stdout == ""
    return done.stderr


def test_structlog_and_the_standard_library_write_one_json_object_a_line() -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in written("json").splitlines()]
    assert [line["event"] for line in lines] == ["restored", "broker b:9092", "joined", "failed"]
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
