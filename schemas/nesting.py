"""How deeply the values of a JSON text are nested, found before anything parses it.

A parser refuses at the interpreter's limit of recursion, which differs between versions of Python.
"""

from __future__ import annotations

_NOT_STRUCTURE = bytes(byte for byte in range(256) if byte not in b'"{}[]')
_OPENING = b"{["


def is_nested_deeper(text: bytes, depth_max: int) -> bool:
    """Return whether objects and arrays are nested deeper than depth_max, which is certain for valid JSON only.

    Takes time in proportion to the text's length, and hardly any for a text with at most depth_max objects and arrays.
    """
    if text.count(b"{") + text.count(b"[") <= depth_max:
        return False
    # what remains of a string are two quotes and the brackets between them
    structure = text.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NOT_STRUCTURE)
    depth = 0
    for byte in b"".join(structure.split(b'"')[::2]):
        depth += 1 if byte in _OPENING else -1
        if depth > depth_max:
            return True
    return False
