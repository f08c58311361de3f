"""The product's own command line, asked whether it knows a command."""

from __future__ import annotations

import shlex
from contextlib import suppress
from functools import cache
from typing import Any

from typer.main import get_command

from streams.__main__ import app

PROGRAM = "touchstream"
_PLACEHOLDERS = {"POSITION": "0"}


@cache
def _program() -> Any:  # typer has a copy of click, without a public name
    return get_command(app)


class NotACommand(AssertionError):
    """The message says which part is not known."""


def known_options() -> set[str]:
    """Of all commands."""
    found: set[str] = set()
    waiting: list[Any] = [_program()]
    while waiting:
        command = waiting.pop()
        found |= {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        waiting += getattr(command, "commands", {}).values()
    return found | {"--help"}


def options_of(*path: str) -> set[str]:
    """Of one command."""
    command = _program()
    for name in path:
        command = command.commands[name]
    return {option for each in command.params if each.param_type_name == "option" for option in each.opts}


def needs_brokers(words: list[str]) -> bool:
    """Whether a command that is known asks a broker."""
    command, rest = _found(words)
    takes = {parameter.name for parameter in command.params}
    return "brokers" in takes and "--file" not in rest and words[:2] != ["topics", "acls"]


def check_mention(words: list[str]) -> None:
    """A command as a sentence names it: perhaps without its arguments.

    Raises:
        NotACommand: there is no such command, or it has no such option.
    """
    command, rest = _found(words)
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in rest:
        if word.startswith("-") and word not in {*options, "--help"}:
            raise NotACommand(f"{PROGRAM} {' '.join(words)}: {word} is none of {', '.join(sorted(options))}")
    if hasattr(command, "commands") and any(not word.startswith("-") for word in rest):
        raise NotACommand(f"{PROGRAM} {' '.join(words)}: {rest[0]} is none of {', '.join(command.commands)}")


def check_command(words: list[str]) -> None:
    """A command that a reader may type: all of it is parsed, and nothing runs.

    Raises:
        NotACommand: with what the command line says.
    """
    check_mention(words)
    command, rest = _found(words)
    try:
        with suppress(SystemExit):
            command.make_context(words[0], [_PLACEHOLDERS.get(word, word) for word in rest])
    except Exception as error:
        raise NotACommand(f"{PROGRAM} {shlex.join(words)}: {getattr(error, 'message', '') or error}") from error


def _found(words: list[str]) -> tuple[Any, list[str]]:
    """The command, and what follows its name."""
    command = _program()
    for place, word in enumerate(words):
        commands = getattr(command, "commands", None)
        if commands is None or word.startswith("-"):
            return command, words[place:]
        if word not in commands:
            raise NotACommand(f"{PROGRAM} {' '.join(words)}: {word} is none of {', '.join(commands)}")
        command = commands[word]
    return command, []
