"""Files that are read in place and not ours to ship."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.demo.servers.places import data_dir

if TYPE_CHECKING:
    from pathlib import Path


def real_file(name: str) -> Path:
    """The file by its path in the folder of the real data; a test that needs it is skipped if it is missing."""
    return _there(data_dir() / name)


def dashboard_schema() -> Path:
    """JSON Schema of a Grafana dashboard, beside the real data; a test that needs it is skipped if it is missing."""
    return _there(data_dir().parent / "grafana" / "dashboard.jsonschema.json")


def _there(path: Path) -> Path:
    if not path.is_file():
        # a clone alone does not have it, and its tests have to pass there, in CI too
        pytest.skip(f"{path} is not there; TOUCHPOINT_DATA names the folder of the real data")
    return path
