"""Codes of countries, as settings and producers write them."""

from __future__ import annotations

import pytest

from schemas.countries import checked_country, country_code
from streams.settings import SettingsError, parse_domain


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DE", "DE"),
        (" de ", "DE"),
        ("uk", "GB"),
        ("France", ""),
        ("", ""),
        ("D1", ""),
        ("DEU", ""),
        ("\N{EURO SIGN}E", ""),
    ],
)
def test_a_producers_text_means_a_code_or_none(text: str, code: str) -> None:
    assert country_code(text) == code


@pytest.mark.parametrize("code", ["de", "DEU", "", "UK", "D "])
def test_a_setting_has_to_write_the_code(code: str) -> None:
    with pytest.raises(ValueError, match="two capital letters such as DE"):
        checked_country(code)


def test_settings_name_the_wrong_country_and_what_to_write() -> None:
    with pytest.raises(SettingsError, match=r"'UK' is no country of ISO 3166.*write GB"):
        parse_domain('{"consent_default_by_country": {"UK": "denied"}}')
    settings = parse_domain('{"consent_default_by_country": {"US": "granted"}}')
    assert settings.consent_default_by_country == {"US": "granted"}
