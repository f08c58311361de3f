"""Files that people are sent, not files that people write: each a few lines or one long one."""

from __future__ import annotations

from typing import NamedTuple

from schemas.limits import DOCUMENT_BYTES_MAX, DOCUMENT_LEVELS_MAX, DOCUMENT_VALUES_MAX


class Hostile(NamedTuple):
    """The text of a file, and a part of what is said about it."""

    text: str
    said: str


def laughs(levels: int, times: int, *, merged: bool = False) -> str:
    """A YAML text that means `times` to the power of `levels` values."""
    lines = ["l0: &l0 {lol: lol}" if merged else "l0: &l0 lol"]
    for level in range(1, levels + 1):
        names = ", ".join([f"*l{level - 1}"] * times)
        lines.append(f"l{level}: &l{level} {{<<: [{names}]}}" if merged else f"l{level}: &l{level} [{names}]")
    return "\n".join(lines)


NESTED = f"nested deeper than {DOCUMENT_LEVELS_MAX} levels"
MANY = f"to more than {DOCUMENT_VALUES_MAX} values"
TWICE = "has 'id' twice"
LONG = DOCUMENT_BYTES_MAX - 1_000

YAML: dict[str, Hostile] = {
    "a billion laughs": Hostile(laughs(9, 10), MANY),
    "laughs of two": Hostile(laughs(64, 2), MANY),
    "laughs in mappings": Hostile(laughs(9, 10, merged=True), MANY),
    "a long text, again and again": Hostile(f"a: &a {'x' * 100_000}\nb: [{'*a, ' * 5_000}]", MANY),
    "a list in itself": Hostile("a: &a [*a]", "a[0] contains itself"),
    "a mapping in itself": Hostile("a: &a {b: {c: *a}}", "a.b.c contains itself"),
    "a mapping merged into itself": Hostile("a: &a\n  <<: *a", "contains itself"),
    "deep lists": Hostile("a: " + "[" * 50_000, NESTED),
    "deep mappings": Hostile("a: " + "{a: " * 50_000, NESTED),
    "deep lists of lines": Hostile("- " * 50_000 + "1", NESTED),
    "deep mappings of lines": Hostile("".join(f"{' ' * level}a:\n" for level in range(400)), NESTED),
    "deep names": Hostile("? " * 10_000 + "a", NESTED),
    "deep lists that are closed": Hostile("a: " + "[" * 5_000 + "]" * 5_000, NESTED),
    "a number of many digits": Hostile("a: {b: [" + "9" * 100_000 + "]}", "a.b[0] is '9999"),
    "a number of 4,301 digits": Hostile("id: " + "9" * 4_301, "of more than 18 digits"),
    "a number of many digits as a name": Hostile("9" * 1_000 + ": 1", "digits"),
    "a number with underscores": Hostile("a: 1" + "_0" * 50_000, "digits"),
    "a name twice": Hostile("id: a\nversion: 1\nid: b", f"{TWICE}, again in line 3"),
    "a name twice, deep inside": Hostile("a: [{}, {id: 1, id: 1}]", f"a[1] {TWICE}"),
    "a quoted name twice": Hostile("id: a\n'id': b", TWICE),
    "a name twice behind a merge": Hostile("a: &a {id: 1}\nb: {<<: *a, id: 2, id: 3}", f"b {TWICE}"),
    "a time that is none": Hostile("a: !!timestamp 2026-99-99", "not valid YAML"),
    "a truth that is none": Hostile("a: !!bool maybe", "not valid YAML"),
    "a number that is none": Hostile("a: !!int ''", "not valid YAML"),
    "a float that is none": Hostile("a: !!float x", "not valid YAML"),
    "an object of Python": Hostile("!!python/object/apply:os.system [true]", "not valid YAML"),
    "an unknown tag": Hostile("a: !x 1", "not valid YAML"),
    "a list as a name": Hostile("? [a]\n: 1", "not valid YAML"),
    "half a character": Hostile('a: {b: "x\\ud800"}', "a.b is 'x\\ud800', of which a part is half a character"),
    "an unknown anchor": Hostile("a: *b", "not valid YAML"),
    "a control character": Hostile("a: \x01", "not valid YAML"),
    "two documents": Hostile("a: 1\n---\na: 1", "not valid YAML"),
    "nothing but brackets": Hostile("[" * LONG, NESTED),
    "nothing but quotes": Hostile('"' * LONG, "not valid YAML"),
    "nothing but ampersands": Hostile("&" * LONG, "not valid YAML"),
    "nothing but colons": Hostile(": " * (LONG // 2), ""),
    "many values": Hostile("a: [" + "1," * 60_000 + "]", MANY),
    "many names": Hostile("\n".join(f"a{number}: 1" for number in range(15_000)), MANY),
    "many unknown names": Hostile("\n".join(f"a{number}: 1" for number in range(5_000)), ""),
    "many mistakes in a list": Hostile("steps: [" + "1," * 9_000 + "]\nstories: [" + "1," * 9_000 + "]", ""),
    "a long name": Hostile(f"{'x' * 1_000}: 1", ""),
    "a long text": Hostile(f"id: {'x' * 200_000}", ""),
    "a long text as a time": Hostile(f"wait: {{for: {'9' * 200_000}h}}", ""),
    "more bytes than such a file has": Hostile("#" * (DOCUMENT_BYTES_MAX + 1), f"more than {DOCUMENT_BYTES_MAX} bytes"),
    "not a number": Hostile("id: .nan\nversion: .inf", ""),
    "nothing": Hostile("", ""),
    "a text": Hostile("hello", ""),
    "a number": Hostile("7", ""),
}
JSON: dict[str, Hostile] = {
    "deep lists": Hostile("[" * 100_000, NESTED),
    "deep objects": Hostile('{"a":' * 100_000 + "1" + "}" * 100_000, NESTED),
    "a number of many digits": Hostile('{"a":' + "9" * 100_000 + "}", "digits"),
    "a name twice": Hostile('{"a":1,"a":2}', "'a' is there twice"),
    "a name twice among many": Hostile("{" + ",".join(f'"{n % 30_000}":1' for n in range(60_000)) + "}", "twice"),
    "no JSON": Hostile("{" * 5, "not valid JSON"),
    "not a number": Hostile("[NaN]", "not valid JSON"),
    "half a character": Hostile('["\\ud800"]', "not valid JSON"),
    "a long text": Hostile('["' + "x" * 100_000 + '"]', ""),
}
