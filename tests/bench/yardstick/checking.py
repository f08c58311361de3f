"""Every output record's content against the reference, by the yardstick's own check.py and expected.json."""

from __future__ import annotations

import json
import sys
from typing import Any

from streams.demo.servers.places import bench_dir
from tests.bench.floor import TOPIC


class WrongOutput(Exception):
    """The output is not the reference's."""


def output_topics(name: str) -> tuple[str, str]:
    return f"credits-{name}", f"segments-{name}"


def check_outputs(brokers: str, name: str) -> None:
    """Compares counts, weights and order-free sums over a run's records; raises WrongOutput."""
    sys.path.append(str(bench_dir()))
    check: Any = __import__("check")
    expected = json.loads((bench_dir() / "expected.json").read_text("utf-8"))[TOPIC]
    found = check.outputs(brokers, *output_topics(name))
    if wrong := {name: (value, expected[name]) for name, value in found.items() if value != expected[name]}:
        raise WrongOutput(f"found and expected: {wrong}")
