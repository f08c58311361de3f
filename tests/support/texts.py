"""Texts of the product that operators and marketers read, by their places."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from typing import TYPE_CHECKING, Any

import typer.main
import yaml

from schemas.catalogue import AVRO_DIR
from streams.__main__ import app
from streams.demo.servers.places import PROJECT
from streams.flows.language.files import LIBRARY
from streams.offline.stories import read_stories, story_files
from streams.operations.asyncapi import document
from streams.settings import DomainSettings
from streams.telemetry.metrics import Metrics
from streams.worker_settings import WorkerSettings
from tests.support.dashboard import dashboard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import BaseModel

    Texts = Iterator[tuple[str, str]]
    """(place, text)."""

UNSAID = "7"
"""In the place of a value that is known only at run time."""
PACKAGES = ("streams", "schemas", "state")
TEMPLATES = ("streams/demo/report/report.html.j2", "streams/offline/backtest.html.j2")
FLOW_SCHEMA = PROJECT / "deploy" / "flow.schema.json"
RULES = PROJECT / "deploy" / "prometheus" / "rules.yml"

_SAYING = {"echo", "fail", "warn", "ok", "print", "status", "Verdict", "Finding", "Equation", "Figure", "Conflict"}
_LOGGING = {"debug", "info", "warning", "error", "critical"}
_JINJA = re.compile(r"{%.*?%}|{#.*?#}", re.DOTALL)
_VALUE = re.compile(r"{{.*?}}", re.DOTALL)
_UNREAD = re.compile(r"<(style|script).*?</\1>", re.DOTALL)
_BLOCK = re.compile(r"</?(h\d|p|td|th|tr|div|summary|title|footer|li|a|span|b)\b[^>]*>")


def settings() -> Texts:
    """Yield the descriptions of all settings."""
    models: tuple[type[BaseModel], ...] = (DomainSettings, WorkerSettings)
    for model in models:
        for name, field in model.model_fields.items():
            yield f"{model.__name__}.{name}", field.description or ""


def helps() -> Texts:
    """Yield the help of every command, argument and option."""
    yield from _helps(typer.main.get_command(app), "touchstream")


def _helps(command: Any, name: str) -> Texts:
    yield name, command.help or ""
    for parameter in command.params:
        if parameter.name != "help":
            yield f"{name} {parameter.name}", getattr(parameter, "help", None) or ""
    for each, inner in getattr(command, "commands", {}).items():
        yield from _helps(inner, f"{name} {each}")


def alerts() -> Texts:
    """Yield the summaries and descriptions of all alerts."""
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            for name in ("summary", "description"):
                if name in rule.get("annotations", {}):
                    text = _VALUE.sub(UNSAID, rule["annotations"][name])
                    yield f"{rule['alert']} {name}", text


def panels() -> Texts:
    """Yield the titles and descriptions of the dashboard's panels."""
    for panel in dashboard()["panels"]:
        yield f"panel {panel['id']}", panel["title"]
        yield f"panel {panel['id']} description", panel.get("description", "")


def stories() -> Texts:
    """Yield the titles of the product's stories, and the comments of its flows and stories."""
    for file in story_files(LIBRARY):
        for story in read_stories(file).stories:
            yield f"{file.name} story", story.story
    for path in sorted((PROJECT / "streams" / "flows" / "library").rglob("*.yaml")):
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
        yield path.name, " ".join(line.removeprefix("#").strip() for line in lines if line.startswith("#"))


def metrics() -> Texts:
    """Yield the help of all metrics."""
    for family in Metrics().registry.collect():
        if family.name.startswith("touchstream_"):
            yield family.name, family.documentation


def schemas() -> Texts:
    """Yield the docs of Avro schemas, and the descriptions of the AsyncAPI document and the flow schema."""
    for path in sorted(AVRO_DIR.glob("*.avsc")):
        yield from _described(json.loads(path.read_text("utf-8")), path.name, ("doc",))
    yield from _described(document(), "asyncapi", ("description", "summary"))
    yield from _described(json.loads(FLOW_SCHEMA.read_text("utf-8")), FLOW_SCHEMA.name, ("description",))


def _described(part: Any, place: str, names: tuple[str, ...]) -> Texts:
    if isinstance(part, dict):
        for name, value in part.items():
            if name in names and isinstance(value, str):
                yield place, value
            else:
                yield from _described(value, f"{place}.{name}", names)
    elif isinstance(part, list):
        for each in part:
            yield from _described(each, place, names)


def pages() -> Texts:
    """Yield the texts of the HTML templates, one for each cell, heading or paragraph."""
    for name in TEMPLATES:
        text = _UNREAD.sub("", (PROJECT / name).read_text("utf-8"))
        text = _BLOCK.sub("\n", _VALUE.sub(UNSAID, _JINJA.sub("\n", text)))
        for line in re.sub(r"<[^>]+>", "", text).splitlines():
            if line.strip():
                yield name, line.strip()


def sources(*left_out: str) -> Iterator[Path]:
    """Yield the product's Python files, but not those of packages in `left_out`."""
    for package in PACKAGES:
        for path in sorted((PROJECT / package).rglob("*.py")):
            if not str(path.relative_to(PROJECT)).startswith(left_out):
                yield path


def messages(*left_out: str) -> Texts:
    """Yield the literals of what the code says: raised, printed, logged, found, or given as a reason."""
    for path in sources(*left_out):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            said: list[ast.expr] = []
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                # a RuntimeError is a bug of ours, which no operator can cure
                said = [] if _name(node.exc.func) == "RuntimeError" else node.exc.args
            elif isinstance(node, ast.Call) and _name(node.func) in _SAYING | _LOGGING:
                said = node.args
            elif isinstance(node, ast.Assign) and _name(node.targets[0]) in {"message", "reason", "detail", "seen"}:
                said = [node.value]
            for text in filter(None, map(_literal, said)):
                yield f"{path.relative_to(PROJECT)}:{node.lineno}", text  # type: ignore[attr-defined]


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _literal(node: ast.expr) -> str:
    """Return the text of a literal, with UNSAID for its values; empty: it is no text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_literal(part) if isinstance(part, ast.Constant) else UNSAID for part in node.values)
    if isinstance(node, ast.BinOp):
        return _literal(node.left) + _literal(node.right)
    return ""


def prose(path: Path) -> Texts:
    """Yield the comments and docstrings of a Python file."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and token.string.startswith('"""')):
            yield f"{path.relative_to(PROJECT)}:{token.start[0]}", re.sub(r"`[^`]*`", UNSAID, token.string)


def docstrings(path: Path) -> Texts:
    """Yield the docstrings of a file's functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield f"{path.relative_to(PROJECT)}:{node.lineno}", text
