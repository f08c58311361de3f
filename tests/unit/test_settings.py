"""The settings that decide name what is wrong with them."""

from __future__ import annotations

import json

import pytest

from streams.settings import SettingsError, parse_domain


@pytest.mark.parametrize("purpose", ["Service", "news ", "", "x" * 33])
def test_a_purpose_is_written_as_in_flow_files(purpose: str) -> None:
    with pytest.raises(SettingsError, match="consent_purposes"):
        parse_domain(json.dumps({"consent_purposes": ["promotional", purpose]}))
