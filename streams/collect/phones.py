"""Phone numbers in free texts: recognised by `+`, `00` or separators, and cut.

A number in one piece without them is an order's id, an EAN or a price, and stays. A phone number's hash would tell the
number, for there are too few of them; so nothing of it is kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.collect.decoding import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator

CUT: Final = "[phone]"
"""What is put in the place of a number; shorter than any."""
DIGITS_MIN: Final = 7
DIGITS_MAX: Final = 15
"""Of a number with its country (E.164)."""
_RUN = re.compile(r"(?:(?<!\w)(?<!\w[-_])(?<!\d:)[+(]{0,2}|\+\(?)[0-9][0-9 ./()+\u00a0-]{6,4096}")
"""Digits and what may stand between those of one number: not more at once than the longest property has.

What is found in longer texts, such as tracebacks, would else be held in memory together.

Without a `+` it is not within a word, an id with hyphens or a time of day.
"""
_DIGITS = re.compile(r"[0-9]+")
_DATE = re.compile(
    r"(?:[0-9]{4}([./-])[0-9]{1,2}\1[0-9]{1,2}|[0-9]{1,2}([./-])[0-9]{1,2}\2[0-9]{2}(?:[0-9]{2})?"
    r"|[0-9]{1,2}[./](?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}[./-][0-9]{1,2})(?![./-]?[0-9])"
)
_WITHIN_A_WORD = re.compile(r"\w|[-_]\w")
_EAN_DIGITS: Final = (8, 12, 13, 14)
_SOLID_MIN: Final = 9
"""Digits after `00` of a number in one piece; ids are often filled up with zeros to ten digits in all."""
_SEPARATOR_MAX: Final = 3
_NEXT_NUMBER_DIGITS: Final = 3
"""So many digits after a space that begin with 0 begin another number, if there are enough digits before it."""
_PAIRS_MIN: Final = 5
"""Groups of two digits that make a number, as 06 12 34 56 78; fewer are hours or amounts."""
_AMERICAN: Final = ([3, 3, 4], [1, 3, 3, 4])
_EVEN_GROUPS: Final = 3
_EVEN_DIGITS: Final = range(8, 13)
_EVEN_SIZES: Final = range(2, 6)


class _Group(NamedTuple):
    """Digits in one piece, with what separates them from the group before."""

    before: str
    digits: str
    begin: int
    end: int


def without_phones(text: str) -> str:
    """Replace each phone number in a text by `[phone]`; takes time in proportion to the text's length.

    In a text that has one the encodings are undone. A text without one comes back as it is.
    """
    plain = decoded(text) if "%" in text or "&" in text or "\\" in text else text
    out: list[str] = []
    done = 0
    for run in _RUN.finditer(plain):
        for begin, end in _numbers(run.group(), plain[run.end() : run.end() + 2]):
            out += (plain[done : run.start() + begin], CUT)
            done = run.start() + end
    if not out:
        return text
    out.append(plain[done:])
    return "".join(out)


def _numbers(run: str, after: str) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each phone number in a run of digits and separators."""
    groups = _groups(run, after)
    if _is_american(groups) or _is_even(groups, run):
        yield groups[0].begin - len(groups[0].before.lstrip()), groups[-1].end
        return
    index = 0
    while index < len(groups):
        group = groups[index]
        date = _DATE.match(run, group.begin)
        if date is not None:
            index += len(_DIGITS.findall(date.group()))
            continue
        count = _count_at(groups, index)
        if not count:
            index += 1
            continue
        sign = len(group.before) - len(group.before.rstrip("+("))
        yield group.begin - sign, groups[index + count - 1].end
        index += count


def _groups(run: str, after: str) -> list[_Group]:
    """Return the groups of digits, but for a last one that is part of a word, such as a size or an id."""
    groups: list[_Group] = []
    end = 0
    for found in _DIGITS.finditer(run):
        groups.append(_Group(run[end : found.start()], found.group(), found.start(), found.end()))
        end = found.end()
    if "+" not in run and _WITHIN_A_WORD.match(run[end:] + after):
        groups.pop()
    return groups


def _count_at(groups: list[_Group], index: int) -> int:
    """Return how many groups from this one on are a number with a country's code or a leading zero; 0: it is none."""
    first = groups[index]
    has_sign = first.before.rstrip("(").endswith("+")
    if has_sign and first.digits[0] == "0":
        return 0
    if not has_sign and not _may_begin(groups, index):
        return 0
    count, digits = _taken(groups, index)
    least = DIGITS_MIN + 2 if first.digits.startswith("00") else DIGITS_MIN
    if not least <= digits <= DIGITS_MAX + 2:
        return 0
    if count == 1:
        return 1 if has_sign or _is_international(first.digits) else 0
    pairs = all(len(group.digits) == 2 for group in groups[index : index + count])  # noqa: PLR2004 - a pair
    return 0 if pairs and not has_sign and count < _PAIRS_MIN else count


def _may_begin(groups: list[_Group], index: int) -> bool:
    """Return whether a number without a `+` may begin here: with one zero, or with two and a country's code."""
    first, after = groups[index], groups[index + 1 : index + 2]
    if first.digits[0] != "0" or (index and " " not in first.before and "(" not in first.before):
        return False
    if first.digits == "0":
        # 0.123 is a share
        return not (after and after[0].before.startswith("."))
    code = first.digits[2:3] or (after[0].digits[0] if after else "")
    return not first.digits.startswith("00") or code != "0"


def _taken(groups: list[_Group], index: int) -> tuple[int, int]:
    """Return how many groups one number takes at most, and their digits."""
    most = DIGITS_MAX + 2 if groups[index].digits.startswith("00") else DIGITS_MAX
    count, digits = 1, len(groups[index].digits)
    for group in groups[index + 1 : index + most]:
        is_next = " " in group.before and group.digits[0] == "0" and len(group.digits) >= _NEXT_NUMBER_DIGITS
        # +49+151+2345678 is one number, as a URL has it; +49 151 2345678+49 are two
        is_next = is_next or (group.before.endswith("+") and (count == 1 or groups[index + 1].before != "+"))
        if digits + len(group.digits) > most or len(group.before) > _SEPARATOR_MAX:
            break
        if is_next and digits >= DIGITS_MIN:
            break
        count, digits = count + 1, digits + len(group.digits)
    return count, digits


def _is_international(digits: str) -> bool:
    """Return whether a number in one piece begins with 00 and is no EAN or order's id that was filled up with zeros."""
    if not digits.startswith("00"):
        return False
    return len(digits) >= 2 + _SOLID_MIN and not (len(digits) in _EAN_DIGITS and _has_check_digit(digits))


def _has_check_digit(digits: str) -> bool:
    """Return whether the last digit is that of an EAN (GS1 General Specifications, 7.9)."""
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))
    return weighted % 10 == 0


def _is_american(groups: list[_Group]) -> bool:
    """Return whether the groups are an American number: 555 123 4567 or (555) 123-4567, with or without a 1 before."""
    return [len(group.digits) for group in groups] in _AMERICAN and (len(groups) < 4 or groups[0].digits == "1")  # noqa: PLR2004 - with the 1


def _is_even(groups: list[_Group], run: str) -> bool:
    """Return whether the groups are a number without a leading zero: 612 345 678 or 12-34-56-78, and no date."""
    separators = {group.before for group in groups[1:]}
    return (
        len(groups) >= _EVEN_GROUPS
        and separators in ({" "}, {"-"}, {"\u00a0"})
        and all(len(group.digits) in _EVEN_SIZES for group in groups)
        and sum(len(group.digits) for group in groups) in _EVEN_DIGITS
        and _DATE.match(run, groups[0].begin) is None
    )
