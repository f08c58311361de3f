"""The door's file and variables: each mistake is named, and no key is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.serve.settings import parse_serve, read_config
from streams.settings import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

KEY = "a-key-of-16-or-more"


def written(folder: Path, text: str) -> Path:
    file = folder / "door.yaml"
    file.write_text(text, "utf-8")
    return file


def test_a_key_is_in_the_file_or_in_one_beside_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-another-file-1\n", "utf-8")
    text = (
        f"keys:\n  web: {{key: {KEY}, source: web, sender: browser, origins: ['https://shop.example']}}\n"
        "  api: {key_file: secret, source: api, requests_per_second: 5}\n"
        "sources:\n  mail: {key_file: secret, door: cloudevents, verify: bearer}\n"
    )
    config = read_config(written(tmp_path, text))
    assert (config.keys["web"].key, config.keys["api"].key) == (KEY, "from-another-file-1")
    assert config.keys["web"].origins == ("https://shop.example",)
    assert config.sources["mail"].key == "from-another-file-1"
    assert KEY not in repr(config)


MISTAKES = {
    "{": "not valid YAML",
    "": "neither keys nor sources",
    "[]": "the whole",
    "keys: {web: {source: web}}": "give either key or key_file",
    f"keys: {{web: {{source: web, key: {KEY}, key_file: x}}}}": "give either key or key_file",
    "keys: {web: {source: web, key: secret}}": "keys.web.key: String should have at least 16",
    "keys: {web: {source: web, key_file: nowhere}}": "keys.web.key_file is",
    f"keys: {{web: {{source: web, key: {KEY}, colour: red}}}}": "keys.web.colour: there is no such setting",
    f"keys: {{web: {{source: web, key: {KEY}, origins: [shop.example]}}}}": "is no origin",
    f"keys: {{web: {{source: web, key: {KEY}, origins: ['https://Shop.example/']}}}}": "is no origin",
    f"keys: {{web: {{source: 'a b', key: {KEY}}}}}": "keys.web.source",
    f"keys: {{'a b': {{source: web, key: {KEY}}}}}": "String should match pattern",
    f"keys: {{a: {{source: web, key: {KEY}}}, b: {{source: web, key: {KEY}}}}}": "keys.b and keys.a have the same key",
    f"sources: {{a: {{door: fax, verify: bearer, key: {KEY}}}}}": "'fax' is no door; allowed are segment",
    f"sources: {{a: {{door: segment, verify: magic, key: {KEY}}}}}": "sources.a.verify: 'magic' is no way to verify",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_named_with_file_and_place_and_without_the_key(text: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        read_config(written(tmp_path, text))
    said = str(raised.value)
    assert str(tmp_path / "door.yaml") in said
    assert MISTAKES[text] in said
    assert KEY not in said


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="needs a YAML file"):
        read_config(tmp_path / "none.yaml")


def test_variables_are_read_and_options_go_before_them(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n", "utf-8")
    variables = {
        "TOUCHSTREAM_SERVE_PORT": "9000",
        "TOUCHSTREAM_SERVE_TOKEN_FILE": str(tmp_path / "token"),
        "TOUCHSTREAM_PORT": "1",
        "TOUCHSTREAM_SERVE_COLOUR": "red",
    }
    settings = parse_serve(variables, host="0.0.0.0", port=None)  # noqa: S104 - it is not listened on
    assert (settings.port, settings.token, settings.host) == (9000, "abc", "0.0.0.0")  # noqa: S104
    with pytest.raises(SettingsError, match="TOUCHSTREAM_SERVE_PORT is '0'"):
        parse_serve({"TOUCHSTREAM_SERVE_PORT": "0"})
