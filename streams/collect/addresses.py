"""E-mail addresses in what producers send: recognised in one pass, also where they are encoded, and hashed.

An address is a name, an at sign and a domain with a dot. Which characters a name may have is wider than RFC 5322 says;
where a text has more than the address, separators such as `=` and `/` end the name.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from streams.collect.decoding import decoded

_SPACE = re.compile(r"\s")
_QUOTES: Final = r"\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a\uff0c\uff1a\uff1b\uff08\uff09\u3001"
"""What parts words in other scripts: quotes, and wide forms of `,:;()`."""
_NAME_BACKWARDS = re.compile(rf"[^\s\x00-\x1f\x7f<>()\[\]{{}}\",;:=&?/\\|#@{_QUOTES}]+")
"""The name of an address within a text, from its last character on; matched on the reversed text, so in one pass."""
_DOMAIN = re.compile(rf"\[[0-9A-Za-z.:]+\]|[^\s\x00-,/:-@\[-^`{{-\x7f{_QUOTES}]+")
"""From its first character on: a number in brackets, or ASCII letters, digits, `.`, `-`, `_` and other letters."""
_ALONE = re.compile(r"[^\s\x00-\x1f\x7f<>()\[\]\",;:\\@]+@([^@]+)")
"""A text that is an address and nothing else: its name may have all separators that RFC 5322 allows."""
_BEFORE_NAME: Final = "!$%'*+-.^`~"
_AFTER_DOMAIN: Final = ".-_"
_SHOWN_NAME_MAX: Final = 100
"""Characters of the name of a person that may stand before their address in angle brackets."""
_QUOTED_MAX: Final = 64
"""Characters of a name in quotes, as RFC 5321 allows."""
_WIDE: Final = {0xFF01 + place: 0x21 + place for place in range(94)}
"""Fullwidth forms of ASCII characters, as Asian keyboards write them."""


def address_hash(address: str) -> str:
    """Return SHA-256 (hex) of the trimmed lower-case address."""
    return hashlib.sha256(address.strip().lower().encode()).hexdigest()


def text_hash(text: str) -> str:
    """Return SHA-256 (hex) of a text as it is."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_address(text: str) -> bool:
    """Return whether a text is an address and nothing else, apart from spaces around it."""
    name, at, domain = text.strip().partition("@")
    return bool(at and name) and "@" not in domain and _is_domain(domain) and not _SPACE.search(name + domain)


def alone(text: str) -> str:
    """Return a text without what may stand around an address that is alone: `mailto:`, brackets, a person's name.

    Encodings are undone where they hid the at sign. A text without an address comes back trimmed.
    """
    plain = (decoded(text) if may_hide(text) else text).strip()
    if plain.endswith(">"):
        name, bracket, rest = plain.rpartition("<")
        if bracket and "@" not in name and len(name) <= _SHOWN_NAME_MAX:
            plain = rest[:-1].strip()
    return plain[7:] if plain[:7].lower() == "mailto:" else plain


def may_hide(text: str) -> bool:
    """Return whether a text has any character with which an at sign can be written; False for most texts, and fast."""
    return (
        "@" in text
        or "%" in text
        or "&" in text
        or "\\" in text
        or (not text.isascii() and ("\N{FULLWIDTH COMMERCIAL AT}" in text or "\N{SMALL COMMERCIAL AT}" in text))
    )


def without_addresses(text: str) -> str:
    """Replace each address in a text by its hash; takes time in proportion to the text's length.

    A text that is one address, with a person's name or not, becomes the hash alone. In a text that has an address the
    encodings are undone. A text without one comes back as it is.
    """
    if not may_hide(text):
        return text
    plain = decoded(text)
    if "@" not in plain:
        return text
    single = alone(plain)
    found = _ALONE.fullmatch(single)
    if found is not None and _domain_of(found.group(1)) == found.group(1):
        return _hash(single)
    hidden = _hidden(plain.split("@"))
    return text if hidden is None else hidden


def _hidden(parts: list[str]) -> str | None:
    """Join a text that was split at its at signs, with the hashes of its addresses; None: there is none."""
    out: list[str] = []
    left = parts[0]
    """The text since the last address."""
    index, last = 0, len(parts) - 1
    has_address = False
    while index < last:
        index += 1
        name, domain = _name_of(left), _domain_of(parts[index])
        if not name or not domain:
            out += (left, "@")
            left = parts[index]
            continue
        has_address = True
        address = [name, domain]
        rest = parts[index][len(domain) :]
        # in a@b.c@d.e the second at sign would make an address of the hash
        while not rest and index < last and (further := _domain_of(parts[index + 1])):
            index += 1
            address.append(further)
            rest = parts[index][len(further) :]
        out += (left[: len(left) - len(name)], _hash("@".join(address)))
        left = rest
    if not has_address:
        return None
    out.append(left)
    return "".join(out)


def _hash(address: str) -> str:
    return address_hash(address if address.isascii() else address.translate(_WIDE))


def _name_of(text: str) -> str:
    """Return the name of an address that ends a text; empty: there is none."""
    if text.endswith('"'):
        begin = text.rfind('"', 0, -1)
        return text[begin:] if begin >= 0 and len(text) - begin <= _QUOTED_MAX + 2 else ""
    found = _NAME_BACKWARDS.match(text[::-1])
    if found is None:
        return ""
    name = text[len(text) - found.end() :]
    return name.lstrip(_BEFORE_NAME) or name


def _domain_of(text: str) -> str:
    """Return the domain that begins a text; empty: there is none, as in `@home`."""
    found = _DOMAIN.match(text)
    if found is None:
        return ""
    domain = found.group().rstrip(_AFTER_DOMAIN)
    return domain if "." in domain[1:] or ":" in domain else ""


def _is_domain(text: str) -> bool:
    """Return whether there is a dot with something on both sides."""
    return "." in text[1:-1]
