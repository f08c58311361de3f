"""Starts the window with the interpreter's cache of methods laid out in one way or another.

python -m tests.bench.cost.layout LAYOUT WORKLOAD COUNTER
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

_TYPES = 37


def main() -> None:
    layout, workload, counter = sys.argv[1:]
    # each type gets a number at its first look-up, and by this number its place in the cache: so these come first
    for _ in range(int(layout) * _TYPES):
        hasattr(type("Other", (), {}), "anything")
    import_module("tests.bench.cost.window").fold_counted(Path(workload), Path(counter))


if __name__ == "__main__":
    main()
