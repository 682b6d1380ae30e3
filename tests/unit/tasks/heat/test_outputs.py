"""Outputs are read; the address of a webhook is a secret from the moment it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blocks.remote.secrets import MASK, mask
from tasks.heat.outputs import Output, read_outputs, register_webhooks
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
    assert register_webhooks(wrap(address))
    assert address not in mask(f"called {address} just now")
    assert mask(f"called {address} just now") == f"called {MASK} just now"


@pytest.mark.parametrize(
    "value", ["http://192.0.2.7/hostname.php", "10.0.0.1", 3, None, [], {"a": "http://x/resources/up"}, "Signature=x"]
)
def test_what_is_no_webhook_is_no_secret(value: Any) -> None:
    assert not register_webhooks(value)


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
    assert [(one.secret, one.shown) for one in outputs.values()] == [
        (True, MASK),
        (False, "http://192.0.2.7/hostname.php"),
        (False, "3"),
        (False, "(not resolved: no such attribute)"),
    ]
    assert "Signature" not in repr(outputs)


def test_a_value_without_a_login_in_it_is_shown_as_json() -> None:
    assert Output("ips", "", ["10.0.0.1", "10.0.0.2"]).shown == '["10.0.0.1", "10.0.0.2"]'


def test_a_stack_without_outputs_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    FakeHeat(install(monkeypatch, tmp_path), "CREATE_COMPLETE")
    assert read_outputs(overcloud(), Stack("example", ID, "CREATE_COMPLETE")) == {}
