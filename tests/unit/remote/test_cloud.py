"""The client of a cloud finds it as the SDK does, repeats nothing that changes anything, and tells no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openstack.config.loader
import pytest
import requests

from blocks.remote import secrets
from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import (
    CertificateRejected,
    CloudError,
    CloudLoginRefused,
    CloudMisconfigured,
    CloudUnknown,
    CloudUnreachable,
    Conflict,
    Forbidden,
    NotFound,
    QuotaExceeded,
    RequestRejected,
    ServiceFailed,
    ServiceMissing,
)
from tests.unit.cloud_api import CLOUDS_YAML, PASSWORD, PROJECT, TOKEN, FakeApi, fail, install, overcloud
from tests.unit.fakes import FakeClock

SIGNED = "http://heat.test:8000/v1/signal/arn%3Aopenstack?SignatureVersion=2&Signature=o2TqW9%2Bq0%3D"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeApi:
    monkeypatch.setattr(secrets, "_known", set())
    return install(monkeypatch, tmp_path)


def stacks(cloud: Cloud) -> Any:
    return cloud.get("list the stacks", "orchestration", "/stacks")


# -- which cloud


def test_nothing_is_asked_before_the_first_call(api: FakeApi) -> None:
    assert Cloud("no-such-cloud").name == "no-such-cloud"
    assert api.asked == []


def test_an_unknown_cloud_is_answered_with_the_known_ones_and_the_file(api: FakeApi, tmp_path: Path) -> None:
    with pytest.raises(CloudUnknown) as refused:
        stacks(Cloud("overclod"))
    assert f"{tmp_path}/clouds.yaml has no cloud 'overclod'; it has other, overcloud" in str(refused.value)
    assert api.asked == []


def test_without_a_file_the_searched_places_are_told(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("OS_CLIENT_CONFIG_FILE")
    places = [str(tmp_path / "here/clouds.yaml"), str(tmp_path / "there/clouds.yaml")]
    monkeypatch.setattr(openstack.config.loader, "CONFIG_FILES", places)
    with pytest.raises(CloudUnknown, match=f"looked for {places[0]}, {places[1]}"):
        stacks(overcloud())


@pytest.mark.parametrize("name", ["defaults", "envvars"])
def test_the_sdks_own_fallbacks_are_no_clouds(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setattr(openstack.config.loader, "CONFIG_FILES", [])
    monkeypatch.delenv("OS_CLIENT_CONFIG_FILE")
    with pytest.raises(CloudUnknown):
        stacks(Cloud(name))


@pytest.mark.parametrize(
    "text",
    [
        f"clouds:\n  overcloud:\n    auth: {{password: {PASSWORD}, auth_url: ]\n",
        "clouds: [1, 2]\n",
        "clouds:\n  overcloud: 3\n",
        "clouds:\n  overcloud:\n    auth_type: no_such_plugin\n    auth: {auth_url: 'http://keystone.test'}\n",
    ],
    ids=["no YAML", "a list of clouds", "a number for a cloud", "no such login"],
)
def test_a_broken_file_is_named_and_its_password_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    install(monkeypatch, tmp_path, text)
    with pytest.raises(CloudError) as refused:
        stacks(overcloud())
    assert isinstance(refused.value, CloudMisconfigured | CloudUnknown)
    assert "clouds.yaml" in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_a_region_that_the_file_does_not_list_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path, "clouds: {overcloud: {regions: [north, south], auth: {auth_url: 'http://k.test'}}}")
    with pytest.raises(CloudUnknown, match=r"east.*north,south"):
        stacks(Cloud("overcloud", "east"))


def test_a_service_is_looked_for_in_the_region_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path, CLOUDS_YAML.replace("region_name: regionOne", "regions: [regionOne, regionTwo]"))
    assert Cloud("overcloud", "regionOne").offers("alarming")
    with pytest.raises(ServiceMissing, match="regionTwo"):
        Cloud("overcloud", "regionTwo").get("list the alarms", "alarming", "/v2/alarms")


# -- logging in


def test_logs_in_as_the_file_says_and_asks_with_the_token(api: FakeApi) -> None:
    api.on("GET", "orchestration", "/stacks", say={"stacks": []})
    assert stacks(overcloud()) == {"stacks": []}
    login = api.requests("POST", "/v3/auth/tokens")[0].body["auth"]
    assert login["identity"]["password"]["user"]["name"] == "demo"
    assert login["scope"]["project"]["name"] == "demo"
    assert api.requests("GET", "/stacks")[0].headers["X-Auth-Token"] == TOKEN


def test_an_application_credential_will_do(api: FakeApi) -> None:
    assert Cloud("other", "regionOne").project == PROJECT
    login = api.requests("POST", "/v3/auth/tokens")[0].body["auth"]
    assert login["identity"]["methods"] == ["application_credential"]
    assert secrets.mask("the-secret-of-the-application") == secrets.MASK


def test_password_and_token_are_masked_from_then_on(api: FakeApi) -> None:
    assert overcloud().offers("metric")
    api.on("GET", "orchestration", "/stacks", say={"stacks": []})
    stacks(overcloud())
    assert secrets.mask(f"{PASSWORD} {TOKEN}") == f"{secrets.MASK} {secrets.MASK}"


def test_a_refused_login_says_what_to_check(api: FakeApi) -> None:
    api.on("POST", "identity", "/v3/auth/tokens", say=(401, {"error": {"message": "The request you have made …"}}))
    with pytest.raises(CloudLoginRefused) as refused:
        stacks(overcloud())
    assert "could not list the stacks: The request you have made …" in str(refused.value)
    assert "clouds.yaml" in refused.value.hint
    assert refused.value.host == "overcloud"


def test_an_old_token_is_replaced_once(api: FakeApi) -> None:
    api.on("GET", "orchestration", "/stacks", say=[401, {"stacks": []}])
    assert stacks(overcloud()) == {"stacks": []}
    assert len(api.requests("POST", "/v3/auth/tokens")) == 2


def test_offers_says_what_the_catalog_has(api: FakeApi) -> None:
    del api.services["load-balancer"]
    cloud = overcloud()
    assert cloud.offers("metric")
    assert cloud.offers("alarming")
    assert not cloud.offers("load-balancer")


@pytest.mark.parametrize("service", ["load-balancer", "metric"])
def test_a_service_that_the_catalog_lacks_is_named(api: FakeApi, service: str) -> None:
    del api.services[service]
    with pytest.raises(ServiceMissing, match=service):
        overcloud().get("ask something", service, "/v1/something")


# -- requests


def test_what_is_told_is_sent_as_json(api: FakeApi) -> None:
    api.on("POST", "metric", "/v1/search/resource/instance", say=(200, [{"id": "1"}]))
    found = overcloud().send("search", "metric", "POST", "/v1/search/resource/instance", {"=": {"a": "b"}}, limit=3)
    assert found == [{"id": "1"}]
    asked = api.asked[-1]
    assert (asked.body, asked.query) == ({"=": {"a": "b"}}, {"limit": "3"})


def test_an_empty_answer_is_none(api: FakeApi) -> None:
    api.on("DELETE", "orchestration", "/stacks/a/1", say=204)
    assert overcloud().send("delete", "orchestration", "DELETE", "/stacks/a/1", None) is None


def test_every_call_has_a_time_limit(api: FakeApi) -> None:
    api.on("GET", "orchestration", "/stacks", say={"stacks": []})
    stacks(overcloud())
    assert len(api.timeouts) == len(api.asked) > 2
    assert set(api.timeouts) == {(10.0, 60.0)}


def test_clouds_yaml_may_set_a_shorter_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    api = install(monkeypatch, tmp_path, CLOUDS_YAML.replace("  overcloud:", "  overcloud:\n    api_timeout: 7"))
    assert overcloud().project == PROJECT
    assert set(api.timeouts) == {(7.0, 7.0)}


def test_a_cache_of_clouds_yaml_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cache = "cache: {class: dogpile.cache.memory, expiration: {server: 3600, orchestration.stacks: 3600}}\n"
    api = install(monkeypatch, tmp_path, cache + CLOUDS_YAML)
    api.on("GET", "orchestration", "/stacks", say=[{"stacks": [1]}, {"stacks": [2]}])
    cloud = overcloud()
    assert [stacks(cloud), stacks(cloud)] == [{"stacks": [1]}, {"stacks": [2]}]


def test_an_error_within_a_request_that_is_not_the_clouds_passes(api: FakeApi) -> None:
    with pytest.raises(KeyError, match="mine"), overcloud().request("ask"):
        raise KeyError("mine")


# -- what goes wrong

NOVA_QUOTA = {"forbidden": {"code": 403, "message": "Quota exceeded for cores: Requested 1, but already used 20 of 20"}}
NEUTRON_QUOTA = {
    "NeutronError": {"type": "OverQuota", "message": "Quota exceeded for resources: ['port'].", "detail": ""}
}
CINDER_QUOTA = {"overLimit": {"code": 413, "message": "VolumeLimitExceeded: Maximum number of volumes allowed (10)"}}
HEAT_QUOTA = {
    "code": 400,
    "error": {"type": "RequestLimitExceeded", "message": "You have reached the maximum stacks per"},
}
OCTAVIA_QUOTA = {"faultcode": "Client", "faultstring": "Quota has been met for resources: Load Balancer"}


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (403, NOVA_QUOTA, QuotaExceeded, "already used 20 of 20"),
        (409, NEUTRON_QUOTA, QuotaExceeded, r"Quota exceeded for resources: \['port'\]"),
        (413, CINDER_QUOTA, QuotaExceeded, "Maximum number of volumes"),
        (400, HEAT_QUOTA, QuotaExceeded, "maximum stacks per"),
        (403, OCTAVIA_QUOTA, QuotaExceeded, "Load Balancer"),
        (403, {"error": {"message": "Policy doesn't allow it"}}, Forbidden, "Policy doesn't allow it"),
        (404, {"code": 404, "error": {"message": "no such stack"}, "title": "Not Found"}, NotFound, "no such stack"),
        (
            404,
            {"description": {"cause": "Unknown metric", "detail": "x"}, "title": "Not Found"},
            NotFound,
            "Unknown metric",
        ),
        (404, "<html><h1>404</h1> nothing <b>here</b></html>", NotFound, "404 nothing here"),
        (409, {"error": {"message": "already has an action in progress"}}, Conflict, "action in progress"),
        (400, {"error_message": {"faultstring": "bad rule"}}, RequestRejected, "bad rule"),
        (400, {"unheard": {"of": [{"message": "deep"}]}}, RequestRejected, "deep"),
        (400, "", RequestRejected, "400"),
        (500, "", ServiceFailed, "500 to GET http://heat.test"),
        (503, {"message": "busy"}, CloudUnreachable, "busy"),
        (504, "<html>Gateway Time-out</html>", CloudUnreachable, "Time-out"),
    ],
)
def test_an_answer_becomes_an_error_that_says_what_the_service_says(
    api: FakeApi, clock: FakeClock, status: int, body: Any, kind: type[CloudError], said: str
) -> None:
    api.on("GET", "orchestration", "/stacks", say=(status, body))
    with pytest.raises(CloudError, match=said) as raised:
        stacks(overcloud())
    assert type(raised.value) is kind
    assert raised.value.status == status
    assert raised.value.message.startswith("overcloud: could not list the stacks: ")


def test_an_error_of_the_sdks_own_calls_is_translated_too(api: FakeApi) -> None:
    api.on("GET", "compute", "/servers/detail", say=(403, NOVA_QUOTA))
    with pytest.raises(QuotaExceeded), overcloud().request("list the servers") as sdk:
        list(sdk.compute.servers())


def test_an_answer_that_is_no_json_is_the_services_failure(api: FakeApi) -> None:
    api.on("GET", "orchestration", "/stacks", say=(200, "<html>please log in to the hotel</html>"))
    with pytest.raises(ServiceFailed, match="no JSON"):
        stacks(overcloud())


def test_a_signed_address_in_an_error_is_masked(api: FakeApi) -> None:
    api.on("GET", "orchestration", "/stacks", say=fail(400, f"can't call {SIGNED} now"))
    with pytest.raises(RequestRejected) as raised:
        stacks(overcloud())
    assert "o2TqW9" not in str(raised.value)
    assert f"SignatureVersion=2&Signature={secrets.MASK} now" in str(raised.value)


def test_a_certificate_that_is_not_trusted_is_not_tried_again(api: FakeApi) -> None:
    api.on("GET", "orchestration", "/stacks", say=requests.exceptions.SSLError("self-signed certificate"))
    with pytest.raises(CertificateRejected, match="self-signed") as raised:
        stacks(overcloud())
    assert "cacert" in raised.value.hint
    assert len(api.requests("GET", "/stacks")) == 1


def test_a_ca_that_is_not_there_is_a_wrong_entry_of_clouds_yaml(api: FakeApi) -> None:
    said = "Could not find a suitable TLS CA certificate bundle, invalid path: /etc/ca.pem"
    api.on("GET", "orchestration", "/stacks", say=OSError(said))
    with pytest.raises(CloudMisconfigured, match=r"invalid path: /etc/ca\.pem") as raised:
        stacks(overcloud())
    assert "cacert" in raised.value.hint


# -- once or again


@pytest.mark.parametrize("error", [requests.ConnectionError("refused"), requests.Timeout("silent")])
def test_a_read_is_tried_again_when_its_connection_fails(
    api: FakeApi, clock: FakeClock, error: requests.RequestException
) -> None:
    api.on("GET", "orchestration", "/stacks", say=[error, error, {"stacks": []}])
    assert stacks(overcloud()) == {"stacks": []}


def test_a_read_is_given_up_after_three_attempts(api: FakeApi, clock: FakeClock) -> None:
    api.on("GET", "orchestration", "/stacks", say=requests.ConnectionError("refused"))
    with pytest.raises(CloudUnreachable, match="could not list the stacks"):
        stacks(overcloud())
    assert len(api.requests("GET", "/stacks")) == 3


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("answer", [requests.ConnectionError("broken"), requests.Timeout("silent"), 503])
def test_a_change_goes_out_once_whatever_becomes_of_it(
    api: FakeApi, clock: FakeClock, method: str, answer: object
) -> None:
    api.on(method, "orchestration", "/stacks/a/1", say=answer)
    with pytest.raises(CloudError):
        overcloud().send("change it", "orchestration", method, "/stacks/a/1", {})
    assert len(api.requests(method, "/stacks/a/1")) == 1


def test_a_busy_service_is_not_asked_again_whatever_clouds_yaml_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: FakeClock
) -> None:
    eager = CLOUDS_YAML.replace("  overcloud:", "  overcloud:\n    orchestration_status_code_retries: 3")
    api = install(monkeypatch, tmp_path, eager).on("POST", "orchestration", "/stacks", say=503)
    with pytest.raises(CloudUnreachable):
        overcloud().send("create it", "orchestration", "POST", "/stacks", {})
    assert len(api.requests("POST", "/stacks")) == 1


# -- the webhook


def test_a_webhook_is_called_without_a_token_and_whatever_it_answers_is_returned(api: FakeApi) -> None:
    api.on("POST", "heat.test:8000", "/v1/signal/.*", say=(403, "<Code>AccessDenied</Code>"))
    answer = overcloud().post_without_token("call it", SIGNED)
    assert answer.status_code == 403
    assert "X-Auth-Token" not in api.asked[-1].headers


def test_a_webhook_that_does_not_answer_is_not_shown(api: FakeApi, clock: FakeClock) -> None:
    api.on("POST", "heat.test:8000", ".*", say=requests.ConnectionError("refused"))
    with pytest.raises(CloudUnreachable) as raised:
        overcloud().post_without_token("call it", SIGNED)
    assert "o2TqW9" not in str(raised.value)


def test_a_restricted_application_credential_is_told_by_its_name(api: FakeApi) -> None:
    said = "You are not authorized: Using method 'application_credential' is not allowed for managing trusts."
    api.on("POST", "orchestration", "/stacks", say=fail(403, said))
    with pytest.raises(Forbidden) as refused:
        overcloud().send("create a stack", "orchestration", "POST", "/stacks", {})
    assert "--unrestricted" in refused.value.hint
    assert "role" not in refused.value.hint
    api.on("POST", "orchestration", "/stacks", say=fail(403, "You are not authorized to use create."))
    with pytest.raises(Forbidden, match="give this user the role"):
        overcloud().send("create a stack", "orchestration", "POST", "/stacks", {})
