"""Texts as people would read them: without the encodings in which an address hides from a search for an at sign."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from re import Match

ROUNDS: Final = 8
"""Encodings of different kinds within each other that are undone. Percents of percents are undone at once."""
_PERCENTS = re.compile(r"%(?:25)+(?=[0-9a-fA-F]{2})")
_ENTITY = re.compile(
    r"&(?:amp;?)*(?:#0*([0-9]{1,7});?|#[xX]0*([0-9a-fA-F]{1,6});?|(commat|period|plus|amp|lt|gt|quot|lowbar|equals);)"
)
# the lookbehind keeps a long row of backslashes from being searched again and again
_BACKSLASH = re.compile(r"(?<!\\)\\+(?:u00|x)([2-7][0-9a-fA-F])")
_NAMED: Final = {
    "commat": "@",
    "period": ".",
    "plus": "+",
    "amp": "&",
    "lt": "<",
    "gt": ">",
    "quot": '"',
    "lowbar": "_",
    "equals": "=",
}
_SPACE: Final = 32
_SURROGATES: Final = range(0xD800, 0xE000)
_LAST: Final = 0x10FFFF
_AT_SIGNS: Final = ("\N{FULLWIDTH COMMERCIAL AT}", "\N{SMALL COMMERCIAL AT}")
_DOTS: Final = ("\N{FULLWIDTH FULL STOP}", "\N{IDEOGRAPHIC FULL STOP}", "\N{HALFWIDTH IDEOGRAPHIC FULL STOP}")
_UNSEEN: Final = (
    "\N{ZERO WIDTH SPACE}",
    "\N{ZERO WIDTH NON-JOINER}",
    "\N{ZERO WIDTH JOINER}",
    "\N{WORD JOINER}",
    "\N{ZERO WIDTH NO-BREAK SPACE}",
    "\N{SOFT HYPHEN}",
)


def decoded(text: str) -> str:
    """Return a text with its percent, HTML and JSON escapes undone, and with plain at signs; never a longer one.

    Takes time in proportion to the text's length. Of a text with an at sign, dots are plain too, and what nobody sees
    is left out.
    """
    for _ in range(ROUNDS):
        before = text
        if "%" in text:
            text = unquote(_PERCENTS.sub("%", text))
        if "&" in text:
            text = _ENTITY.sub(_character, text)
        if "\\" in text:
            text = _BACKSLASH.sub(_escaped, text)
        if text == before:
            break
    return text if text.isascii() else _plain(text)


def _plain(text: str) -> str:
    for at_sign in _AT_SIGNS:
        text = text.replace(at_sign, "@")
    if "@" not in text:
        return text
    for dot in _DOTS:
        text = text.replace(dot, ".")
    for unseen in _UNSEEN:
        text = text.replace(unseen, "")
    return text


def _character(found: Match[str]) -> str:
    decimal, hexadecimal, name = found.groups()
    if name is not None:
        return _NAMED[name]
    number = int(decimal) if decimal is not None else int(hexadecimal, 16)
    # half a character could not be encoded
    return chr(number) if _SPACE <= number <= _LAST and number not in _SURROGATES else found.group()


def _escaped(found: Match[str]) -> str:
    return chr(int(found.group(1), 16))
