"""A worker's settings come from variables, or from the files that variables name; secrets stay where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, Producer

from streams.app import engine_settings
from streams.engine.settings import consumer_config, producer_config
from streams.kafka.config import reader_config
from streams.replay.target import Target
from streams.settings import DomainSettings, SettingsError
from streams.worker_settings import parse_worker
from tests.support.commands import run

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hush-5f1c"  # noqa: S105 - it is looked for


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file as secrets are mounted."""
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n", "utf-8")
    return path


def test_a_secret_may_lie_in_a_file(file: Path) -> None:
    settings = parse_worker(
        {
            "TOUCHSTREAM_WEB_TOKEN_FILE": str(file),
            "TOUCHSTREAM_KAFKA_SASL_PASSWORD_FILE": str(file),
        }
    )
    assert settings.web_token == SECRET
    assert settings.kafka == {"sasl.password": SECRET}


@pytest.mark.parametrize(
    ("text", "value"), [("a", "a"), ("a\n", "a"), ("a\n\n", "a\n"), (" a ", " a "), ("a\r\n", "a\r"), ("ä", "ä")]
)
def test_one_newline_at_the_end_of_a_file_is_not_part_of_the_value(file: Path, text: str, value: str) -> None:
    file.write_bytes(text.encode())
    assert parse_worker({"TOUCHSTREAM_WEB_TOKEN_FILE": str(file)}).web_token == value


def test_a_variable_and_its_file_exclude_each_other(file: Path) -> None:
    given = {"TOUCHSTREAM_WEB_TOKEN": SECRET, "TOUCHSTREAM_WEB_TOKEN_FILE": str(file)}
    with pytest.raises(SettingsError, match=r"^(\w+) and \1_FILE are both set: set only one of them") as raised:
        parse_worker(given)
    assert SECRET not in str(raised.value)


def test_an_empty_variable_counts_as_not_set_beside_its_file(file: Path) -> None:
    settings = parse_worker({"TOUCHSTREAM_WEB_TOKEN": "", "TOUCHSTREAM_WEB_TOKEN_FILE": str(file)})
    assert settings.web_token == SECRET
    settings = parse_worker({"TOUCHSTREAM_WEB_TOKEN": SECRET, "TOUCHSTREAM_WEB_TOKEN_FILE": ""})
    assert settings.web_token == SECRET


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"", "it is empty"), (b"\n", "it is empty"), (b"\xff", "it is not UTF-8 text")],
)
def test_a_file_without_a_value_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=rf"^TOUCHSTREAM_WEB_TOKEN_FILE is '{path}': {said}.*; name a file"):
        parse_worker({"TOUCHSTREAM_WEB_TOKEN_FILE": str(path)})


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"TOUCHSTREAM_KAFKA_SASL_PASSWORD_FILE is .*: Is a directory"):
        parse_worker({"TOUCHSTREAM_KAFKA_SASL_PASSWORD_FILE": str(tmp_path)})


def test_a_setting_of_librdkafka_that_names_a_file_itself_is_passed_on() -> None:
    settings = parse_worker({"TOUCHSTREAM_KAFKA_SASL_OAUTHBEARER_ASSERTION_PRIVATE_KEY_FILE": "/run/key.pem"})
    assert settings.kafka == {"sasl.oauthbearer.assertion.private.key.file": "/run/key.pem"}
    Producer({**settings.kafka, "bootstrap.servers": "b:9092", "log_level": 0})


@pytest.fixture
def oauth(file: Path) -> dict[str, str]:
    return {
        "TOUCHSTREAM_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "TOUCHSTREAM_KAFKA_SASL_MECHANISM": "OAUTHBEARER",
        "TOUCHSTREAM_KAFKA_SASL_OAUTHBEARER_METHOD": "oidc",
        "TOUCHSTREAM_KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": "https://127.0.0.1:9/token",
        "TOUCHSTREAM_KAFKA_SASL_OAUTHBEARER_CLIENT_ID": "touchstream",
        "TOUCHSTREAM_KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET_FILE": str(file),
        "TOUCHSTREAM_KAFKA_SASL_OAUTHBEARER_SCOPE": "kafka",
    }


def test_librdkafka_takes_oauth_settings_in_every_client_of_a_worker(oauth: dict[str, str]) -> None:
    settings = parse_worker(oauth)
    engine = engine_settings(settings, DomainSettings())
    for config in (consumer_config(engine), producer_config(engine), reader_config(settings.brokers, settings.kafka)):
        assert config["sasl.oauthbearer.method"] == "oidc"
        assert config["sasl.oauthbearer.client.secret"] == SECRET
        assert config["sasl.oauthbearer.token.endpoint.url"] == "https://127.0.0.1:9/token"
    # a setting that this librdkafka did not know, or was built without, would raise
    Consumer({**consumer_config(engine), "log_level": 0}).close()


def test_no_secret_is_shown_by_what_holds_it(oauth: dict[str, str], file: Path) -> None:
    url = f"https://shop:{SECRET}@registry"
    settings = parse_worker({**oauth, "TOUCHSTREAM_WEB_TOKEN_FILE": str(file), "TOUCHSTREAM_REGISTRY_URL": url})
    target = Target(settings.kafka, settings.prefix, DomainSettings())
    for holder in (settings, engine_settings(settings, DomainSettings()), target):
        assert SECRET not in repr(holder)
        assert SECRET not in str(holder)


@pytest.mark.parametrize("form", [(), ("--json",), ("--markdown",)])
def test_the_list_of_variables_shows_no_secret(form: tuple[str, ...], oauth: dict[str, str], file: Path) -> None:
    given = {**oauth, "TOUCHSTREAM_WEB_TOKEN": SECRET, "TOUCHSTREAM_KAFKA_SASL_PASSWORD_FILE": str(file)}
    result = run("settings", *form, **given)
    assert result.exit_code == 0
    assert SECRET not in result.output
    assert "TOUCHSTREAM_<NAME>_FILE" in result.output


@pytest.mark.parametrize(
    "wrong",
    [
        {"TOUCHSTREAM_WEB_PORT": "http"},
        {"TOUCHSTREAM_KAFKA_NO_SUCH": SECRET},
        {"TOUCHSTREAM_KAFKA_SECURITY_PROTOCOL": "SASL"},
        {"TOUCHSTREAM_KAFKA_SSL_KEY_PEM": SECRET, "TOUCHSTREAM_KAFKA_SECURITY_PROTOCOL": "SSL"},
        {"TOUCHSTREAM_KAFKA_SASL_PASSWORD": SECRET},
    ],
)
def test_no_secret_is_told_with_an_error(wrong: dict[str, str], file: Path) -> None:
    variables = {"TOUCHSTREAM_WEB_TOKEN": SECRET, "TOUCHSTREAM_KAFKA_SASL_PASSWORD_FILE": str(file), **wrong}
    result = run("worker", **variables)
    assert result.exit_code == 2
    assert result.stderr.startswith("touchstream: ")
    assert SECRET not in result.output
