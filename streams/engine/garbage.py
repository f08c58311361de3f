"""How often a process that folds collects garbage."""

from __future__ import annotations

import gc

_YOUNG_OBJECTS = 200_000
_GENERATIONS = 20


def collect_rarely() -> None:
    """Make garbage collections rare; call it once everything is imported."""
    # modules and classes live as long as the process: the collector need not check them again. Cached state is
    # bounded and frozen, so collections may be rare; each costs in proportion to all live objects. A cycle with fewer
    # young objects than this ends without a collection: its commit frees most of them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, _GENERATIONS, _GENERATIONS)
