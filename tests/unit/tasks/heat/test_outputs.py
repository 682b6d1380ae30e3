"""Outputs are read; the address of a webhook is a secret from the moment it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blocks.remote.secrets import MASK, mask
from tasks.heat.outputs import Output, read_outputs, register_credentials
from tasks.heat.stack import Stack
from tests.unit.cloud_api import install, overcloud
from tests.unit.tasks.heat_api import ID, FakeHeat

ALARM_URL = (
    "http://10.77.0.2:8000/v1/signal/arn%3Aopenstack%3Aheat%3A%3A8f86%3Astacks/example/6fca/resources/up?"
    "SignatureMethod=HmacSHA256&AWSAccessKeyId=30b5&SignatureVersion=2&Signature=4NxsRz%2Bq0%3D"
)
SIGNAL_URL = "http://10.77.0.2:8004/v1/8f86/stacks/example/6fca/resources/up/signal"
TEMP_URL = "https://swift.test/v1/a/b?temp_url_sig=59fe&temp_url_expires=2147483586"


@pytest.mark.parametrize("address", [ALARM_URL, SIGNAL_URL, TEMP_URL, f"trust+{SIGNAL_URL}"])
@pytest.mark.parametrize(
    "wrap", [lambda url: url, lambda url: f"curl -X POST '{url}'", lambda url: {"a": [1, {"b": url}]}]
)
def test_a_webhook_is_masked_wherever_it_stands(address: str, wrap: Any) -> None:
    assert register_credentials(wrap(address))
    assert address not in mask(f"called {address} just now")
    assert mask(f"called {address} just now") == f"called {MASK} just now"


@pytest.mark.parametrize(
    "value", ["http://192.0.2.7/hostname.php", "10.0.0.1", 3, None, [], {"a": "http://x/resources/up"}, "Signature=x"]
)
def test_what_is_no_webhook_is_no_secret(value: Any) -> None:
    assert not register_credentials(value)


def test_outputs_are_read_and_shown_without_their_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    heat = FakeHeat(install(monkeypatch, tmp_path), "CREATE_COMPLETE")
    heat.outputs = [
        {"output_key": "scale_up_url", "description": "This URL is\n the webhook  ", "output_value": ALARM_URL},
        {"output_key": "website_url", "description": "", "output_value": "http://192.0.2.7/hostname.php"},
        {"output_key": "size", "output_value": 3},
        {"output_key": "broken", "output_value": None, "output_error": "no such attribute"},
    ]
    outputs = read_outputs(overcloud(), Stack("example", ID, "CREATE_COMPLETE"))
    assert outputs["scale_up_url"].value == ALARM_URL
    assert outputs["scale_up_url"].description == "This URL is the webhook"
    assert [(output.secret, output.display_value) for output in outputs.values()] == [
        (True, MASK),
        (False, "http://192.0.2.7/hostname.php"),
        (False, "3"),
        (False, "(not resolved: no such attribute)"),
    ]
    assert "Signature" not in repr(outputs)


TOKEN = "0f5c2e0d9a8b4c7d8e1f2a3b4c5d6e7f"
HEADER = "X-Auth-Token"
CURL = (
    f"curl -i -X POST -H '{HEADER}: {TOKEN}' -H 'Content-Type: application/json' "
    "http://heat.test:8004/v1/p/stacks/example/1/resources/wait_handle/signal"
)


def _outputs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **values: Any) -> dict[str, str]:
    """What is shown of outputs with these values."""
    heat = FakeHeat(install(monkeypatch, tmp_path), "CREATE_COMPLETE")
    heat.outputs = [{"output_key": key, "output_value": value} for key, value in values.items()]
    outputs = read_outputs(overcloud(), Stack("example", ID, "CREATE_COMPLETE"))
    return {key: output.display_value for key, output in outputs.items()}


def test_the_token_of_a_wait_condition_is_hidden_wherever_it_stands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown = _outputs(monkeypatch, tmp_path, handle=TOKEN, curl_cli=CURL, token=TOKEN, nested={"a": [TOKEN]})
    assert TOKEN not in str(shown)
    assert shown["curl_cli"] == f"curl -i -X POST -H '{HEADER}: {MASK}' -H 'Content-Type: application/json' {MASK}"
    assert (shown["handle"], shown["token"]) == (MASK, "(hidden)")
    assert TOKEN not in mask(f"the log says {TOKEN}")


@pytest.mark.parametrize("key", ["admin_password", "clientSecret", "token", "private_key", "ssh-key"])
@pytest.mark.parametrize("value", ["pa55word", ["pa55word"], {"a": "pa55word"}])
def test_an_output_named_like_a_secret_is_hidden(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str, value: Any
) -> None:
    shown = _outputs(monkeypatch, tmp_path, message="log in with pa55word", **{key: value})
    assert shown == {"message": f"log in with {MASK}", key: "(hidden)"}


def test_what_is_named_like_a_secret_within_an_output_is_masked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown = _outputs(monkeypatch, tmp_path, login={"user": "alice", "password": "pa55word"}, key_name="admin")
    assert shown == {"login": f'{{"user": "alice", "password": "{MASK}"}}', "key_name": "admin"}


def test_a_common_word_in_a_hidden_output_does_not_shred_the_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert _outputs(monkeypatch, tmp_path, use_token="true") == {"use_token": "(hidden)"}
    assert mask("that is true") == "that is true"


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("rabbit://guest:pa55word@10.0.0.1", "pa55word"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEowIB\n-----END RSA PRIVATE KEY-----", "MIIEowIB"),
        ("#cloud-config\npassword: pa55word\n", "pa55word"),
        ({"signature": "518b51ea", "paths": ["/v2/queues/q"]}, "518b51ea"),
        ("signature=518b51ea&paths=%2Fv2", "518b51ea"),
        ("http://s3.test/a?AWSAccessKeyId=AK&Expires=1&Signature=abcdef", "abcdef"),
    ],
)
def test_a_credential_in_any_output_is_masked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: Any, secret: str
) -> None:
    assert secret not in str(_outputs(monkeypatch, tmp_path, info=value))


def test_a_value_without_a_login_in_it_is_shown_as_json() -> None:
    assert Output("ips", "", ["10.0.0.1", "10.0.0.2"]).display_value == '["10.0.0.1", "10.0.0.2"]'


def test_a_stack_without_outputs_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    FakeHeat(install(monkeypatch, tmp_path), "CREATE_COMPLETE")
    assert read_outputs(overcloud(), Stack("example", ID, "CREATE_COMPLETE")) == {}
