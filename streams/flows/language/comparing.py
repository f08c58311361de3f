"""Comparison of flow files with published flows: what publishing would change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import JsonValue


class Difference(NamedTuple):
    """One flow that would change."""

    flow_id: str
    lines: tuple[str, ...]
    """The changes, one for each place in the file."""


def differences(
    published: Iterable[Mapping[str, JsonValue]], files: Iterable[Mapping[str, JsonValue]]
) -> list[Difference]:
    """Return the differences by id; a change without a new version is one, as records name a flow by its version."""
    before = {str(flow["id"]): flow for flow in published}
    found = []
    for new in sorted(files, key=lambda flow: str(flow["id"])):
        flow_id = str(new["id"])
        old = before.get(flow_id)
        if old is None:
            found.append(Difference(flow_id, ("is new",)))
        elif lines := tuple(_changes(old, new, "")):
            same = (f"version stays {old['version']}: raise it, as each change needs its own version",)
            found.append(Difference(flow_id, lines if old["version"] != new["version"] else (*lines, *same)))
    return found


def _changes(old: Any, new: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - pieces of documents
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            place = f"{path}.{name}".removeprefix(".")
            if name not in new:
                yield f"{place}: {old[name]!r} would be removed"
            elif name not in old:
                yield f"{place}: {new[name]!r} would be added"
            else:
                yield from _changes(old[name], new[name], place)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _changes(one, other, f"{path}[{number}]")
    elif old != new:
        yield f"{path}: {old!r} would become {new!r}"
