"""Settings come from the environment and the properties file; secrets stay hidden."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sfc.errors import BadInput
from sfc.masking import is_secret, mask_url
from sfc.settings import Settings, instance_name, load_settings, read_properties, unknown_names


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SFC_"):
            monkeypatch.delenv(name)


def test_every_setting_is_documented() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_command_line_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFC_PORT", "9000")
    assert (load_settings().port, load_settings(port=1).port, load_settings(port=None).port) == (9000, 1, 9000)


def test_a_role_without_a_gateway_takes_a_free_port_unless_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().health_port() == 0
    monkeypatch.setenv("SFC_PORT", "9000")
    assert load_settings().health_port() == 9000


def test_kafka_properties_are_of_the_file_then_the_environment_then_sfc_kafka(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text("# ours\nbootstrap.servers=file:1\nsasl.username = from-file\nssl.ca.location=/ca,\\\n/more\nsasl.password=a=b\n")
    monkeypatch.setenv("SFC_KAFKA_PROPERTIES_FILE", str(file))
    assert load_settings().kafka == "file:1"
    monkeypatch.setenv("SFC_KAFKA_SASL_USERNAME", "from-env")
    monkeypatch.setenv("SFC_KAFKA", "env:1")
    settings = load_settings()
    expected = {"bootstrap.servers": "env:1", "sasl.username": "from-env", "ssl.ca.location": "/ca,/more", "sasl.password": "a=b"}
    assert settings.kafka_properties() == expected
    assert settings.model_copy(update={"kafka": "cli:1"}).kafka_properties()["bootstrap.servers"] == "cli:1"


def test_a_properties_file_that_is_wrong_is_named_without_its_values(tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text("sasl.password hunter2\n")
    with pytest.raises(BadInput, match=r"client\.properties.*without =") as caught:
        read_properties(file)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(BadInput, match="can't be read"):
        read_properties(tmp_path / "none")


def test_secrets_are_masked_and_places_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFC_DATABASE", "postgresql://sfc:hunter2@db/sfc")
    monkeypatch.setenv("SFC_KAFKA_SSL_KEY_PASSWORD", "hunter2")
    monkeypatch.setenv("SFC_KAFKA_SSL_KEY_LOCATION", "/keys/a.key")
    shown = load_settings().masked()
    assert "hunter2" not in str(shown)
    assert "hunter2" not in repr(load_settings())
    assert shown["database"] == "postgresql://sfc:********@db/sfc"
    assert shown["kafka_properties"]["ssl.key.location"] == "/keys/a.key"
    assert load_settings().database_url() == "postgresql://sfc:hunter2@db/sfc"
    assert mask_url("sqlite:///a@b:c") == "sqlite:///a@b:c"
    assert mask_url("postgresql://ann:a/b:c@db/sfc") == "postgresql://ann:********@db/sfc"
    assert mask_url("postgresql://db/sfc?user=ann&password=x&sslpassword=y") == (
        "postgresql://db/sfc?user=ann&password=********&sslpassword=********"
    )
    for name in ("sasl.password", "ssl.key.pem", "sasl.oauthbearer.client.secret", "api_key", "token"):
        assert is_secret(name), name


def test_a_wrong_value_is_named_by_its_environment_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFC_LOG_LEVEL", "loud")
    with pytest.raises(BadInput, match=r"SFC_LOG_LEVEL.*'loud'"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SFC_KAFKA", "localhost", "host:port was expected"),
        ("SFC_KAFKA", "a:9092,b", "host:port was expected"),
        ("SFC_URL", "127.0.0.1:8321", "such as http://127.0.0.1:8321"),
        ("SFC_NAMESPACE", "Shop", "lower-case letters"),
    ],
)
def test_a_value_of_the_wrong_form_is_told_the_right_one(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadInput) as refused:
        load_settings()
    assert said in refused.value.message
    assert f"it is {value!r}" in refused.value.message
    assert "pattern" not in refused.value.message


@pytest.mark.parametrize("value", ["", "b:9092", "a:1,b:2", "a:1, b:2", "[::1]:9092", "SASL_SSL://b.example:9093"])
def test_bootstrap_servers_as_kafka_writes_them_are_taken(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SFC_KAFKA", value)
    assert load_settings().kafka == value


def test_unknown_names_are_told_with_the_nearest_known() -> None:
    environ = {"SFC_KAFKAA": "", "SFC_DEBUG": "1", "SFC_KAFKA_LINGER_MS": "1", "OTHER": "", "SFC_TEST_KAFKA": "x", "SFC_SHARDS": "8"}
    assert unknown_names(environ) == ["SFC_KAFKAA is no setting. Did you mean 'SFC_KAFKA'?"]


def test_an_instance_has_the_lowest_slot_that_no_living_process_has() -> None:
    code = "from sfc.settings import Settings, instance_name; print(instance_name(Settings()), flush=True); input()"
    others = [subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        names = [p.stdout.readline().strip() for p in others if p.stdout]
        assert len({*names, instance_name(Settings())}) == 3
    finally:
        for process in others:
            process.communicate("\n")
    assert instance_name(Settings(instance="engine-a")) == "engine-a"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("port", "abc", "SFC_PORT: a whole number was expected; it is 'abc'"),
        ("shards", 0, "SFC_SHARDS: at least 1 was expected; it is 0"),
        ("shards", 5_000, "SFC_SHARDS: at most 1000 was expected; it is 5000"),
        ("create_topics", "perhaps", "SFC_CREATE_TOPICS: true or false was expected; it is 'perhaps'"),
        ("log_format", "xml", "SFC_LOG_FORMAT: 'auto', 'console' or 'json' was expected; it is 'xml'"),
    ],
)
def test_a_wrong_setting_is_told_in_our_words(name: str, value: object, said: str) -> None:
    with pytest.raises(BadInput) as refused:
        load_settings(**{name: value})
    assert said in refused.value.message
