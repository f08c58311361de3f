"""The product without its extras, as a plain `pip install` leaves it: what only extras bring cannot be imported."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.machinery import PathFinder
from importlib.metadata import distribution, packages_distributions
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from streams.demo.servers.places import PROJECT
from streams.settings import ENVIRONMENT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

PRODUCT = "touchstream"
_HIDDEN_IN_CHILD = "from tests.support.plain_install import hide_extras; hide_extras()"
_COMMAND = "import sys; from streams.__main__ import main; sys.argv = ['touchstream', *sys.argv[1:]]; main()"
_SECONDS = 120.0


def needed(product: str = PRODUCT, extras: Iterable[str] = ()) -> set[str]:
    """Return the canonical names of the distributions that it needs here, and those that these need, but for itself."""
    found: set[tuple[str, str]] = set()
    left = [(product, extra) for extra in ("", *extras)]
    while left:
        name, extra = left.pop()
        key = (canonicalize_name(name), extra)
        if key in found:
            continue
        found.add(key)
        for text in distribution(name).requires or ():
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                left += [(wanted.name, each) for each in ("", *wanted.extras)]
    return {name for name, _ in found} - {canonicalize_name(product)}


def extra_modules() -> set[str]:
    """Return the top-level modules that are installed here and that a plain installation would lack."""
    plain = needed() | {PRODUCT}
    return {
        module
        for module, owners in packages_distributions().items()
        if not any(canonicalize_name(owner) in plain for owner in owners)
    }


def hide_extras() -> None:
    """Let imports in this process fail as they do after a plain installation, for the rest of its life."""
    hidden = extra_modules() - {"tests"}

    class PlainFinder(PathFinder):
        @classmethod
        def find_spec(
            cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
        ) -> ModuleSpec | None:
            return None if fullname.partition(".")[0] in hidden else super().find_spec(fullname, path, target)

    sys.meta_path[:] = [PlainFinder if finder is PathFinder else finder for finder in sys.meta_path]
    for name in [name for name in sys.modules if name.partition(".")[0] in hidden]:
        del sys.modules[name]


def plainly(code: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own that has no extras; it sees `arguments` as sys.argv[1:]."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}
    return subprocess.run(
        [sys.executable, "-c", f"{_HIDDEN_IN_CHILD}\n{code}", *arguments],
        cwd=PROJECT,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )


def plain_command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `touchstream` with these arguments and no extras."""
    return plainly(_COMMAND, *arguments, **variables)
