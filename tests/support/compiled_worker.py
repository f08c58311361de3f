"""Workers of the sources or of the compiled wheel."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.support.files import ROOT
from tests.support.running import AWorker

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.running import Place


class AWorkerOf(AWorker):
    """A worker that imports the product from a folder of sources or of compiled modules, and tests from here."""

    def __init__(self, place: Place, product: Path, **given: object) -> None:
        super().__init__(place, "0", **given)
        self._product = product

    def command(self) -> list[str]:
        env, *rest = super().command()
        return [env, f"PYTHONPATH={self._product}{os.pathsep}{ROOT}", "PYTHONSAFEPATH=1", *rest]
