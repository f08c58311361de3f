"""Where files are: those of the project, and those that are read in place and not ours to ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.demo.servers.places import data_dir

ROOT = Path(__file__).parents[2]
"""The project's folder, also where the product that is tested comes from a wheel."""


def real_file(name: str) -> Path:
    """The file by its path in the folder of the real data; a test that needs it is skipped if its folder is missing."""
    return _there(data_dir() / name)


def dashboard_schema() -> Path:
    """JSON Schema of a Grafana dashboard, in a folder beside the real data, of which the same holds."""
    return _there(data_dir().parent / "grafana" / "dashboard.jsonschema.json")


def _there(path: Path) -> Path:
    if not path.parent.is_dir():
        # a clone alone does not have it, and its tests have to pass there, in CI too
        pytest.skip(f"{path.parent} is not there; TOUCHPOINT_DATA names the folder of the real data")
    assert path.is_file(), f"{path} is not there, though its folder is"
    return path
