"""A worker on a machine whose clock on the wall is wrong: `python -m tests.support.shifted_worker FILE [MODULE]`.

FILE holds by how many seconds, and may change while it runs. Clocks that only rise are right. Without a MODULE it is
the product's worker.
"""

from __future__ import annotations

import runpy
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def shift(file: Path) -> None:
    """Puts the shift between the wall clock of this process and all that asks for it."""
    true_s: Callable[[], float] = time.time
    true_ns: Callable[[], int] = time.time_ns

    def shift_s() -> float:
        text = file.read_text()  # empty while it is being written
        return float(text) if text else 0.0

    time.time = lambda: true_s() + shift_s()
    time.time_ns = lambda: true_ns() + int(shift_s() * 1_000_000_000)


if __name__ == "__main__":
    shift(Path(sys.argv[1]))
    # only now: whatever keeps the function by itself has to get the shifted one
    if len(sys.argv) > 2:
        runpy.run_module(sys.argv[2], run_name="__main__")
    else:
        from streams.worker import run_worker
        from streams.worker_settings import parse_worker

        run_worker(parse_worker())
