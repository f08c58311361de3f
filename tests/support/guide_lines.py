"""Lines of a guide's shell blocks, checked without running them: every program in its own way."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from confluent_kafka import Consumer, KafkaException

from streams.demo.servers.places import PROJECT
from streams.serve.calls import BATCH, KINDS
from streams.settings import DomainSettings
from streams.web import pages
from streams.worker_settings import WorkerSettings, parse_worker
from tests.support.command_line import PROGRAM, check_command

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    Words = list[str]

MAKEFILE = (PROJECT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE))
_EXTRAS = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
_COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text("utf-8"))
_PAGES = {pages.LIVE, pages.READY, pages.METRICS}
_NO_SUCH_PROPERTY = "No such configuration property"


def check_line(text: str, files: Collection[str]) -> None:
    """A line of a block; AssertionError where something in it does not exist. `files`: those that the page saves."""
    words = shlex.split(text)
    while words and re.match(r"^[A-Z_]+=", words[0]):
        _check_variable(words.pop(0))
    program, *rest = words
    if program == "sed":
        assert rest[-1] in files, text
    elif program == "python" and rest[0] in files:
        return
    else:
        check = _CHECKS.get(program)
        assert check is not None, f"{text}: say in {__name__} how {program} is checked"
        check(rest)


def _check_variables(words: Words) -> None:
    for word in words:
        _check_variable(word)


def _check_variable(assignment: str) -> None:
    name, _, value = assignment.partition("=")
    if name == "HATCH_BUILD_HOOKS_ENABLE":
        return
    assert name.startswith("TOUCHSTREAM_"), name
    if name.endswith("_FILE"):
        # what it names is not on this machine
        name, value = name.removesuffix("_FILE"), "secret"
    if name.startswith("TOUCHSTREAM_DOMAIN_"):
        DomainSettings.model_validate({name.removeprefix("TOUCHSTREAM_DOMAIN_").lower(): value})
        return
    settings = parse_worker({name: value})
    # what no setting has as its name is passed over
    assert settings.kafka or name.removeprefix("TOUCHSTREAM_").lower() in WorkerSettings.model_fields, name
    for known in settings.kafka:
        assert _is_known_to_librdkafka(known), name


def _is_known_to_librdkafka(name: str) -> bool:
    """By what it says of a value that it may well refuse."""
    try:
        Consumer({"group.id": "guide", name: "", "log_level": 0})
    except KafkaException as error:
        return _NO_SUCH_PROPERTY not in str(error)
    return True


def check_make(words: Words) -> None:
    """Targets and variables of the Makefile."""
    for word in words:
        variable, assigned, _ = word.partition("=")
        if assigned:
            assert f"$({variable})" in MAKEFILE, word
        else:
            assert word in TARGETS, word


def check_python(words: Words) -> None:
    """A module with its options, or a file of the project."""
    if words[0] != "-m":
        assert (PROJECT / words[0]).is_file(), words
        return
    assert find_spec(words[1]) is not None, words
    if words[2:]:
        said = subprocess.run(
            [sys.executable, "-m", words[1], "--help"], capture_output=True, text=True, check=True, cwd=PROJECT
        )
        assert {word for word in words[2:] if word.startswith("-") and word not in said.stdout} == set()


def check_install(words: Words) -> None:
    """The project, with extras that it has."""
    verb, what = words
    assert verb == "install"
    extras = re.fullmatch(r"\.(?:\[([a-z,]+)\])?", what)
    assert extras is not None, words
    assert set((extras[1] or "").split(",")) <= {"", *_EXTRAS}, words


def check_compose(words: Words) -> None:
    """A command of Docker Compose, and what runs in a service of ours."""
    compose, verb, *rest = words
    assert compose == "compose"
    if verb == "exec":
        service, program, *command = rest
        assert service in _COMPOSE["services"], words
        assert program == PROGRAM
        check_command(command)
        return
    done = subprocess.run(
        [str(Path(sys.executable).parent / "docker-compose"), verb, *rest, "--help"],
        check=False,
        capture_output=True,
        text=True,
        cwd=PROJECT,
    )
    assert done.returncode == 0, done.stderr


def _check_pages(words: Words) -> None:
    if called := [word for word in words if word.startswith("https://door.example/")]:
        assert {word.removeprefix("https://door.example/v1/") for word in called} <= {*KINDS, BATCH}, words
        return
    assert {word.partition(":6066")[2] for word in words if word.startswith("http")} <= _PAGES, words


_CHECKS: dict[str, Callable[[Words], None]] = {
    PROGRAM: check_command,
    "make": check_make,
    "export": _check_variables,
    "python": check_python,
    "pip": check_install,
    "docker": check_compose,
    "curl": _check_pages,
}
