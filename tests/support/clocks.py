"""Workers whose clock on the wall goes wrong while they run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx

from streams.demo.servers.places import PROJECT
from tests.support.running import AWorker

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.running import Place


class AShiftedWorker(AWorker):
    """A worker process; `shift` moves its wall clock from then on."""

    def __init__(self, place: Place, instance: str = "0", shift_s: float = 0, **given: object) -> None:
        super().__init__(place, instance, **given)
        self._file = self.folder / "shift"
        self.shift(shift_s)

    def home(self) -> Path:
        return PROJECT

    @property
    def program(self) -> list[str]:
        return ["-m", "tests.support.shifted_worker", str(self._file)]

    def shift(self, seconds: float) -> None:
        self._file.write_text(str(seconds))

    def metric(self, name: str) -> float:
        """A metric without labels, as scraped."""
        text = httpx.get(f"{self.address}/metrics", trust_env=False, timeout=5).text
        found = re.search(rf"^touchstream_{name} (\S+)$", text, re.MULTILINE)
        assert found is not None, f"{name} is not among the metrics"
        return float(found[1])
