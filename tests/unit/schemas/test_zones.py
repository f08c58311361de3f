"""Time zones are those of the pinned package, whatever the machine has."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING
from zoneinfo import TZPATH, ZoneInfo

import pytest

from schemas.zones import NAMES, TZDATA, release_of, zone_name

if TYPE_CHECKING:
    from pathlib import Path

WRONG = """
import os, shutil, sys
folder = sys.argv[1]
from importlib.resources import files
import tzdata
os.makedirs(f"{folder}/Europe")
shutil.copy(str(files(tzdata) / "zoneinfo" / "Asia" / "Tokyo"), f"{folder}/Europe/Berlin")
from datetime import datetime
from zoneinfo import ZoneInfo
import streams.settings
print(datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")).utcoffset())
"""


def test_the_machines_zones_are_not_read() -> None:
    assert TZPATH == ()
    assert ZoneInfo("Europe/Berlin").key == "Europe/Berlin"


def test_a_machine_with_wrong_zones_decides_as_others_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WRONG, str(tmp_path)],
        env={"PYTHONTZPATH": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "1:00:00"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("Europe/Berlin", "Europe/Berlin"), ("europe/berlin", "Europe/Berlin"), (" utc ", "UTC")),
        *(
            ("localtime", None),
            ("posixrules", None),
            ("Factory", None),
            ("../UTC", None),
            ("", None),
            ("x" * 900_000, None),
        ),
    ],
)
def test_only_names_of_the_iana_are_zones(text: str, expected: str | None) -> None:
    assert zone_name(text) == expected


def test_every_name_is_a_zone() -> None:
    assert len(NAMES) > 500
    assert all(ZoneInfo(name) for name in NAMES)


def test_versions_are_compared_as_numbers() -> None:
    assert release_of(TZDATA) >= release_of("2025.1")
    assert release_of("2026.10") > release_of("2026.9")
    assert release_of("2026f") == release_of("") == ()
