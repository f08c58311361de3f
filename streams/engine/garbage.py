"""How often a process that folds looks for garbage."""

from __future__ import annotations

import gc

_YOUNG_OBJECTS = 200_000
_GENERATIONS = 20


def collect_rarely() -> None:
    """To be called once all is imported."""
    # modules and classes never die: the collector need not look at them again. Cached state is bounded
    # and frozen, so collections may be rare; each costs in proportion to all that lives. A cycle that holds fewer
    # young objects than this ends without one: most of what it made is gone with its commit.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, _GENERATIONS, _GENERATIONS)
