"""What is wrong with clouds.yaml is said by file and place, and no part of a password is."""

from __future__ import annotations

import logging
from pathlib import Path

import openstack.config
import openstack.config.loader
import pytest

from blocks.remote.cloud_errors import CloudMisconfigured, CloudUnknown
from tests.unit.cloud_api import CLOUDS_YAML, PASSWORD, PROJECT, install, overcloud

LINE = 1 + next(number for number, line in enumerate(CLOUDS_YAML.splitlines()) if PASSWORD in line)


def refusal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> str:
    install(monkeypatch, tmp_path, text)
    with pytest.raises(CloudMisconfigured) as refused:
        _ = overcloud().project
    return str(refused.value)


@pytest.mark.parametrize("begin", ["@", "%", "*", "!", "`", "|", ">", "[", "{", "\t", "x: "])
def test_a_password_that_yaml_takes_for_something_else_is_told_by_its_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, begin: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = refusal(monkeypatch, tmp_path, CLOUDS_YAML.replace(PASSWORD, f"{begin}Swordfish-9"))
    assert f"{tmp_path}/clouds.yaml is no YAML: line {LINE}" in said.replace(f"line {LINE + 1}", f"line {LINE}")
    assert "there is no clouds.yaml" not in said
    assert "single quotes" in said
    assert "Swordfish" not in said + caplog.text


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_quote_that_is_left_open_is_told_by_where_it_begins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quote: str
) -> None:
    said = refusal(monkeypatch, tmp_path, CLOUDS_YAML.replace(PASSWORD, f"{quote}Swordfish-9"))
    assert f"begins in line {LINE}" in said
    assert "Swordfish" not in said


@pytest.mark.parametrize("value", ["", "&Swordfish-9", "#Swordfish-9", "''", "null"])
def test_an_entry_without_a_password_is_said_to_have_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    said = refusal(monkeypatch, tmp_path, CLOUDS_YAML.replace(PASSWORD, value))
    assert "its entry in clouds.yaml has no password" in said
    assert "Horizon" in said


@pytest.mark.parametrize(
    ("value", "kind"), [("yes", "bool"), ("2024-05-01", "date"), ("[a]", "list"), ("{a: b}", "dict")]
)
def test_a_password_that_is_no_text_to_yaml_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, kind: str
) -> None:
    assert f"password in its entry in clouds.yaml is a {kind}" in refusal(
        monkeypatch, tmp_path, CLOUDS_YAML.replace(PASSWORD, value)
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clouds:\n", "clouds.yaml: clouds is empty, and must be a mapping"),
        ("clouds: text\n", "clouds.yaml: clouds is a str of YAML"),
        ("[clouds]\n", "clouds.yaml is a list of YAML"),
        ("clouds:\n  overcloud:\n", "clouds.yaml: clouds: overcloud is empty"),
        ("clouds:\n  7: {}\n  overcloud: {}\n", "clouds.yaml: clouds has the name 7, which is no text"),
        ("clouds:\n  overcloud:\n    auth:\n", "clouds.yaml: clouds: overcloud: auth is no mapping"),
    ],
)
def test_a_file_of_another_shape_is_told_by_the_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, said: str
) -> None:
    assert said in refusal(monkeypatch, tmp_path, text)


def test_digits_are_a_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path, CLOUDS_YAML.replace(PASSWORD, "12345"))
    assert overcloud().project == PROJECT


@pytest.mark.parametrize(
    "entry",
    [
        "auth: null",
        "auth: text",
        "auth: [a]",
        "auth: {}",
        "regions: {a: b}",
        "auth: {auth_url: 3}",
        "verify: {}",
        "api_timeout: soon",
    ],
)
def test_an_entry_that_the_sdk_can_not_use_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, entry: str
) -> None:
    install(monkeypatch, tmp_path, f"clouds:\n  overcloud:\n    {entry}\n")
    with pytest.raises((CloudMisconfigured, CloudUnknown), match="overcloud"):
        _ = overcloud().project


@pytest.mark.parametrize(
    "url", ["http://[keystone.test", "keystone.test:5000", "http://", "http://k.test:five/v3", "ftp://k.test"]
)
def test_an_address_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    text = CLOUDS_YAML.replace("http://keystone.test:5000/v3", f"'{url}'")
    assert "auth_url in its entry in clouds.yaml is no address" in refusal(monkeypatch, tmp_path, text)


def test_a_file_that_is_no_utf_8_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path)
    (tmp_path / "clouds.yaml").write_bytes(CLOUDS_YAML.encode("utf-16"))
    with pytest.raises(CloudMisconfigured, match=r"clouds\.yaml is no text in UTF-8"):
        _ = overcloud().project


def test_a_json_file_is_judged_as_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path)
    (tmp_path / "clouds.json").write_text('{"clouds": ')
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.json"))
    with pytest.raises(CloudMisconfigured, match=r"clouds\.json is no JSON: .*line 1"):
        _ = overcloud().project


def test_a_broken_secure_yaml_is_named_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path)
    (tmp_path / "secure.yaml").write_text("clouds: {overcloud: {auth: {password: @x")
    monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(tmp_path / "secure.yaml"))
    with pytest.raises(CloudMisconfigured, match=r"secure\.yaml is no YAML: line 1"):
        _ = overcloud().project


def test_a_file_that_may_not_be_read_is_named_unless_there_is_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path)
    locked, read = tmp_path / "clouds.yaml", Path.read_text

    def read_text(path: Path, *options: str, **more: str) -> str:
        if path == locked:
            raise PermissionError(13, "Permission denied")
        return read(path, *options, **more)

    monkeypatch.setattr(Path, "read_text", read_text)
    monkeypatch.setattr(openstack.config.loader, "CONFIG_FILES", [])
    with pytest.raises(CloudMisconfigured, match=f"{locked} can't be read: permission denied"):
        _ = overcloud().project
    (tmp_path / "other.yaml").write_text("clouds: {}\n")
    monkeypatch.setattr(openstack.config.loader, "CONFIG_FILES", [str(tmp_path / "other.yaml")])
    monkeypatch.setattr(
        openstack.config.OpenStackConfig, "_load_config_file", lambda _: (str(tmp_path / "other.yaml"), {})
    )
    with pytest.raises(CloudUnknown, match=r"other\.yaml has no cloud"):
        _ = overcloud().project
