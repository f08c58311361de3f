"""The README is short, starts at once, and shows the way of an event in a few files."""

from __future__ import annotations

import re

from streams.demo.servers.places import PROJECT
from tests.support.guide import README, read_page

LINES_MAX = 120
FIRST_SCREEN_LINES = 40
STEPS = 10
FILES_MAX = 11
FILE_LINES_MAX = 2_000
TABLE_LINES_MAX = 12
WAY = "The way of an event"


def test_the_readme_fits_on_three_screens() -> None:
    assert len(read_page(README).lines) <= LINES_MAX


def test_both_commands_are_on_the_first_screen() -> None:
    first = "\n".join(read_page(README).lines[:FIRST_SCREEN_LINES])
    assert {"make demo", "make test"} <= set(re.findall(r"^make \w+", first, re.MULTILINE))


def test_it_says_what_it_is_in_three_sentences_and_a_picture() -> None:
    page = read_page(README)
    about = page.prose.split("##")[0].removeprefix("# touchstream")
    assert len(re.findall(r"\.\s", about)) == 3
    assert page.blocks[0].language == "text"


def test_the_way_of_an_event_is_ten_steps_through_few_files() -> None:
    section = read_page(README).section(WAY)
    steps = re.findall(r"^\d+\. ", section, re.MULTILINE)
    assert [int(step[:-2]) for step in steps] == list(range(1, STEPS + 1))
    numbered = section[section.index("1. ") : section.index("The whole way")]
    files = [PROJECT / target for target in re.findall(r"\]\(([^)]+)\)", numbered)]
    assert len(files) <= FILES_MAX
    assert sum(len(file.read_text("utf-8").splitlines()) for file in files) <= FILE_LINES_MAX


def test_the_table_of_commands_is_short() -> None:
    table = [line for line in read_page(README).section("Commands").splitlines() if line.startswith("|")]
    assert 2 < len(table) <= TABLE_LINES_MAX


def test_it_links_every_guide() -> None:
    page = read_page(README)
    guides = {f"deploy/guide/{path.name}" for path in (PROJECT / "deploy" / "guide").glob("*.md")}
    assert guides <= set(page.links)
