"""README and guides as tests read them: headings, links, code blocks, code in sentences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from streams.demo.servers.places import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

README = PROJECT / "README.md"
GUIDE = PROJECT / "deploy" / "guide"
PAGES = (README, *sorted(GUIDE.glob("*.md")))

_FENCE = re.compile(r"^```(.*)$")
_HEADING = re.compile(r"^(#+) +(.+?)\s*$")
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")


class Block(NamedTuple):
    """A fenced block: its language, further words behind it, and its lines."""

    page: str
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def place(self) -> str:
        """For the message of a test."""
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """Name of the file that a reader saves it as."""
        return next((word.removeprefix("file=") for word in self.words if word.startswith("file=")), None)


class Heading(NamedTuple):
    level: int
    title: str
    anchor: str


class Page(NamedTuple):
    """A page, read."""

    path: Path
    lines: tuple[str, ...]
    prose: str
    """Without fenced blocks."""
    blocks: tuple[Block, ...]
    headings: tuple[Heading, ...]

    @property
    def links(self) -> list[str]:
        """Targets, in order."""
        return _LINK.findall(self.prose)

    @property
    def codes(self) -> list[str]:
        """Code in sentences and tables, each on one line."""
        return [" ".join(code.split()) for code in _CODE.findall(self.prose)]

    def section(self, title: str) -> str:
        """Prose under a heading, up to the next one of its level or above."""
        (heading,) = [heading for heading in self.headings if heading.title == title]
        mark = "#" * heading.level
        begin = self.prose.index(f"\n{mark} {title}\n") + 1
        ends = [found.start() for found in re.finditer(rf"^#{{1,{heading.level}}} ", self.prose, re.MULTILINE)]
        return self.prose[begin : min((end for end in ends if end > begin), default=len(self.prose))]


def read_page(path: Path) -> Page:
    """Raises AssertionError where a block is not closed."""
    lines = path.read_text("utf-8").splitlines()
    prose: list[str] = []
    blocks: list[Block] = []
    opened: tuple[int, str] | None = None
    held: list[str] = []
    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        if fence is None:
            (prose if opened is None else held).append(line)
        elif opened is None:
            opened = number, fence[1]
        else:
            language, *words = opened[1].split() or [""]
            blocks.append(Block(path.name, opened[0], language, tuple(words), "\n".join(held) + "\n"))
            opened, held = None, []
    assert opened is None, f"{path}:{opened}: the block has no end"
    text = "\n".join(prose)
    return Page(path, tuple(lines), text, tuple(blocks), tuple(_headings(prose)))


def _headings(prose: list[str]) -> Iterator[Heading]:
    seen: dict[str, int] = {}
    for line in prose:
        found = _HEADING.match(line)
        if found is not None:
            anchor = anchor_of(found[2])
            count = seen[anchor] = seen.get(anchor, -1) + 1
            yield Heading(len(found[1]), found[2], f"{anchor}-{count}" if count else anchor)


def anchor_of(title: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-")
