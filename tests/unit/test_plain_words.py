"""What operators and marketers read is plain English: short sentences, a subject in each, no words of another age."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from streams.demo.servers.places import PROJECT
from tests.support import texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WORDS_MAX = 25
WORD = re.compile(r"[A-Za-z][\w'-]*")
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n\s*\n|\n\s*- ")
HEADLESS = re.compile(r"(Who|Whoever|Whom|Whose|What)\b(?!.*\?$)")
BANNED = {line.partition("->")[0] for line in (PROJECT / "deploy" / "plain-words.txt").read_text("utf-8").splitlines()}
# they are names in the code, so the word list cannot have them
IN_PROSE_ONLY = {"told", "standing", "foretold"}
# they say nothing to a marketer
OF_ENGINEERS = {"folded", "fold", "no's", "journalled"}
NO_VERB = {"a", "an", "the", "what", "whether", "how", "where", "when", "who", "which", "by", "of", "as", "in", "those"}
KINDS: dict[str, Callable[[], Iterator[tuple[str, str]]]] = {
    "settings": texts.settings,
    "help": texts.helps,
    "alerts": texts.alerts,
    "panels": texts.panels,
    "stories": texts.stories,
    "metrics": texts.metrics,
    "schemas": texts.schemas,
    "pages": texts.pages,
    "messages": texts.messages,
}


def faults(text: str) -> list[str]:
    found = [f"banned: {word}" for word in sorted(words(text) & (BANNED | IN_PROSE_ONLY))]
    for sentence in map(str.strip, SENTENCE.split(text)):
        if len(WORD.findall(sentence)) > WORDS_MAX:
            found.append(f"{len(WORD.findall(sentence))} words: {sentence}")
        if HEADLESS.match(sentence):
            found.append(f"headless: {sentence}")
    return found


def words(text: str) -> set[str]:
    return {word.lower() for word in WORD.findall(text)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_text_is_in_short_whole_sentences_of_plain_words(kind: str) -> None:
    found = list(KINDS[kind]())
    assert found
    wrong = [f"{place}: {fault}" for place, text in found for fault in faults(text)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("kind", ["settings", "help"])
def test_every_setting_and_every_option_has_a_text(kind: str) -> None:
    assert not [place for place, text in KINDS[kind]() if not text.strip()]


def test_pages_and_the_demo_say_nothing_that_only_engineers_know() -> None:
    assert not [(place, text) for place, text in texts.pages() if words(text) & OF_ENGINEERS]
    assert not [
        (place, text) for place, text in texts.messages() if "demo/report" in place and words(text) & OF_ENGINEERS
    ]


def test_comments_and_docstrings_use_plain_words() -> None:
    wrong = [
        f"{place}: {word}"
        for path in texts.sources()
        for place, text in texts.prose(path)
        for word in sorted(words(text) & (BANNED | IN_PROSE_ONLY))
    ]
    assert not wrong, "\n".join(wrong)


def test_a_functions_docstring_begins_with_what_it_does() -> None:
    wrong = [
        f"{place}: {text.splitlines()[0]}"
        for path in texts.sources()
        for place, text in texts.docstrings(path)
        if text.split()[0].lower().strip(",:") in NO_VERB
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Who orders again gets no message.", "headless"),
        ("What comes due waits.", "headless"),
        ("A customer who left his cart is reminded.", "banned: his"),
        ("The workers are told so.", "banned: told"),
        (" ".join(["word"] * 26) + ".", "26 words"),
    ],
)
def test_a_text_that_is_not_plain_is_found(text: str, fault: str) -> None:
    assert [each for each in faults(text) if each.startswith(fault)]


def test_a_question_and_a_short_sentence_are_plain() -> None:
    assert faults("Which dead letters? Give positions. What is missing?") == []
