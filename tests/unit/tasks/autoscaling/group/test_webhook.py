"""The webhook of a policy is called as anybody would; its address stays secret, and its refusals are named."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from blocks.remote.cloud_errors import CloudUnreachable
from blocks.remote.secrets import MASK, mask
from tasks.autoscaling.group.webhook import Policy, WebhookRefused, post_webhook, read_policies
from tasks.heat.stack import Stack
from tests.unit.cloud_api import FakeApi, install, overcloud
from tests.unit.fakes import FakeClock
from tests.unit.tasks.heat_api import ID, FakeHeat, resource

STACK = Stack("example", ID, "CREATE_COMPLETE")
ALARM_URL = "http://heat.test:8000/v1/signal/arn%3Aopenstack%3Aheat%3A%3Ax?SignatureVersion=2&Signature=4NxsRz%2Bq0%3D"
SIGNAL_URL = "http://heat.test:8004/v1/8f86/stacks/example/6fca/resources/up/signal"
POLICY = Policy("up", ALARM_URL, SIGNAL_URL)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: FakeClock) -> FakeApi:
    return install(monkeypatch, tmp_path)


def refused(api: FakeApi, status: int, body: str) -> WebhookRefused:
    api.on("POST", "heat.test:8000", ".*", say=(status, body))
    with pytest.raises(WebhookRefused) as raised:
        post_webhook(overcloud(), POLICY)
    return raised.value


def error(code: str) -> str:
    """As heat-api-cfn answers."""
    return f"<ErrorResponse><Error><Message>no</Message><Code>{code}</Code><Type>Sender</Type></Error></ErrorResponse>"


def test_policies_are_read_and_their_addresses_are_secret(api: FakeApi) -> None:
    heat = FakeHeat(api, "CREATE_COMPLETE")
    heat.resources = [
        resource("up", kind="OS::Heat::ScalingPolicy"),
        resource("inner", kind="OS::Heat::ScalingPolicy", stack="other/1"),
        resource("group", kind="OS::Heat::AutoScalingGroup"),
    ]
    said = {"resource": {"attributes": {"alarm_url": ALARM_URL, "signal_url": SIGNAL_URL}}}
    api.on("GET", "orchestration", f"/stacks/example/{ID}/resources/up", say=said)
    assert read_policies(overcloud(), STACK) == {"up": POLICY}
    assert mask(f"{ALARM_URL} {SIGNAL_URL}") == f"{MASK} {MASK}"
    assert "Signature" not in repr(POLICY)
    assert "signal" not in repr(POLICY)


def test_a_policy_that_is_not_made_yet_has_no_addresses(api: FakeApi) -> None:
    heat = FakeHeat(api, "CREATE_IN_PROGRESS")
    heat.resources = [resource("up", "CREATE_IN_PROGRESS", kind="OS::Heat::ScalingPolicy")]
    api.on(
        "GET",
        "orchestration",
        f"/stacks/example/{ID}/resources/up",
        say={"resource": {"attributes": {"alarm_url": None}}},
    )
    assert read_policies(overcloud(), STACK) == {"up": Policy("up", "", "")}


def test_the_webhook_is_called_once_without_a_login(api: FakeApi) -> None:
    api.on("POST", "heat.test:8000", ".*", say=200)
    post_webhook(overcloud(), POLICY)
    calls = [request for request in api.asked if request.service == "heat.test:8000"]
    assert [(request.method, request.query["Signature"]) for request in calls] == [("POST", "4NxsRz+q0=")]
    assert "X-Auth-Token" not in calls[0].headers


@pytest.mark.parametrize("body", [error("AccessDenied"), '{"ErrorResponse": {"Error": {"Code": "AccessDenied"}}}', ""])
def test_a_403_is_known_for_what_it_is(api: FakeApi, body: str) -> None:
    raised = refused(api, 403, body)
    assert "the webhook of policy up answers 403" in raised.message
    assert "/v3/ec2tokens" in raised.hint
    assert "[ec2authtoken]" in raised.hint
    assert (raised.status, raised.code) == (403, "AccessDenied" if body else "")


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (403, "InvalidClientTokenId", "stack user is gone"),
        (403, "SignatureDoesNotMatch", "changed or cut short"),
        (400, "IncompleteSignature", "heat-api-cfn"),
        (404, "", "heat-api-cfn"),
        (500, "InternalFailure", "heat-api-cfn"),
    ],
)
def test_other_refusals_are_told_apart(api: FakeApi, status: int, code: str, hint: str) -> None:
    raised = refused(api, status, error(code) if code else "gone")
    assert hint in raised.hint
    assert "ec2tokens" not in raised.hint
    assert raised.code == code


def test_no_refusal_shows_the_address(api: FakeApi) -> None:
    assert "4NxsRz" not in str(refused(api, 403, f"refused {ALARM_URL}"))


def test_a_webhook_that_nobody_answers_is_unreachable(api: FakeApi) -> None:
    api.on("POST", "heat.test:8000", ".*", say=requests.ConnectionError(f"[Errno 111] Connection refused {ALARM_URL}"))
    with pytest.raises(CloudUnreachable, match="could not call the webhook of policy up") as raised:
        post_webhook(overcloud(), POLICY)
    assert "4NxsRz" not in str(raised.value)
