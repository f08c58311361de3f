"""E-mail addresses in what producers send: recognised in one pass, and hashed."""

from __future__ import annotations

import hashlib
import re

_SPACE = re.compile(r"(\s+)")


def address_hash(address: str) -> str:
    """Return SHA-256 (hex) of the trimmed lower-case address."""
    return hashlib.sha256(address.strip().lower().encode()).hexdigest()


def is_address(text: str) -> bool:
    """Return whether a text is an address and nothing else, apart from spaces around it."""
    name, at, domain = text.strip().partition("@")
    return bool(at and name) and "@" not in domain and _is_domain(domain) and not _SPACE.search(name + domain)


def without_addresses(text: str) -> str:
    """Replace each address in a text by its hash; takes time in proportion to the text's length."""
    if "@" not in text:
        return text
    return "".join([_hashed(word) if "@" in word else word for word in _SPACE.split(text)])


def _hashed(word: str) -> str:
    """Replace the text around each @ of a word without spaces, where it makes an address."""
    parts = word.split("@")
    found: list[str] = []
    index = 0
    while index < len(parts):
        if index + 1 < len(parts) and parts[index] and _is_domain(parts[index + 1]):
            found.append(address_hash(f"{parts[index]}@{parts[index + 1]}"))
            index += 2
        else:
            found.append(parts[index])
            index += 1
    return "@".join(found)


def _is_domain(text: str) -> bool:
    """Return whether there is a dot with something on both sides."""
    return "." in text[1:-1]
