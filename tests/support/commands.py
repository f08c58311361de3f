"""Commands of `touchstream`, run in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from streams.__main__ import app

if TYPE_CHECKING:
    from click.testing import Result


def run(*arguments: str, **variables: str) -> Result:
    """One command; a variable left out is not set."""
    result: Any = CliRunner().invoke(app, list(arguments), env=variables)
    return result  # type: ignore[no-any-return]


def refused(*arguments: str, **variables: str) -> str:
    """What a command that cannot run says: one line on stderr, exit code 2, nothing else."""
    result = run(*arguments, **variables)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    (line,) = result.stderr.splitlines()
    return line
