"""Everything that speaks against beginning is told at once, each with what to do; each reason can be brought about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from blocks.remote.cloud import Cloud
from blocks.remote.errors import Stopped
from tasks.runbooks.deploy_stack.preflight import Needs, check_needs, check_numbers
from tests.unit.cloud_api import PROJECT, Asked, FakeApi, fail, install, overcloud
from tests.unit.fakes import FakeClock

NEEDS = Needs(
    members=3,
    flavor="m1.tiny",
    image="debian",
    key_name="admin",
    networks=("private",),
    subnets=("private-subnet",),
    external_network="public",
    security_groups=("base",),
    services=("orchestration", "metric", "alarming", "load-balancer"),
    ports=4,
    floating_ips=3,
    new_security_groups=1,
    load_balancers=1,
    volumes=3,
    volume_gib=3,
    archive_policy="autoscaling",
    granularity_s=60,
)
FLAVOR = {"id": "1", "name": "m1.tiny", "vcpus": 2, "ram": 512, "disk": 1}
IMAGE = {"id": "i1", "name": "debian", "status": "active", "min_ram": 256}
POLICY = {
    "name": "autoscaling",
    "definition": [{"granularity": "0:01:00", "timespan": "6:00:00", "points": 360}],
    "aggregation_methods": ["mean", "rate:mean"],
}
LIMITS = {
    "maxTotalInstances": 10,
    "totalInstancesUsed": 7,
    "maxTotalCores": 20,
    "totalCoresUsed": 14,
    "maxTotalRAMSize": -1,
    "totalRAMUsed": 9,
}
VOLUMES = {
    "maxTotalVolumes": 10,
    "totalVolumesUsed": 0,
    "maxTotalVolumeGigabytes": 100,
    "totalGigabytesUsed": 0,
}
QUOTA = {name: {"limit": 10, "used": 0, "reserved": 0} for name in ("port", "floatingip", "security_group", "network")}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: FakeClock) -> FakeApi:
    """A cloud that has all that is needed."""
    api = install(monkeypatch, tmp_path)
    on = api.on
    on("GET", "compute", "/flavors(/detail)?", say={"flavors": [FLAVOR]})
    on("GET", "compute", "/flavors/.+", say=404)
    on("GET", "compute", "/flavors/detail", say={"flavors": [FLAVOR]})
    on("GET", "compute", "/flavors/1", say={"flavor": FLAVOR})
    on("GET", "compute", "/os-keypairs", say={"keypairs": [{"keypair": {"name": "admin"}}]})
    on("GET", "compute", "/os-keypairs/.+", say=404)
    on("GET", "compute", "/os-keypairs/admin", say={"keypair": {"name": "admin"}})
    on("GET", "compute", "/limits", say={"limits": {"absolute": LIMITS, "rate": []}})
    on("GET", "image", "/v2/images", say=lambda asked: {"images": named([IMAGE], asked.query)})
    on("GET", "image", "/v2/images/.+", say=404)
    collection(
        api, "networks", [{"name": "private", "id": "n1"}, {"name": "public", "id": "n2", "router:external": True}]
    )
    collection(api, "subnets", [{"name": "private-subnet", "id": "s1"}])
    collection(api, "security-groups", [{"name": "base", "id": "g1"}])
    on("GET", "network", f"/v2.0/quotas/{PROJECT}/details", say={"quota": QUOTA})
    on("GET", "load-balancer", f"/v2.0/lbaas/quotas/{PROJECT}", say={"quota": {"load_balancer": 5}})
    on("GET", "load-balancer", "/v2.0/lbaas/loadbalancers", say={"loadbalancers": [{"id": "1"}]})
    on("GET", "volumev3", "/limits", say={"limits": {"absolute": VOLUMES, "rate": []}})
    on("GET", "metric", "/v1/archive_policy", say=(200, [POLICY]))
    return api


def collection(api: FakeApi, name: str, there: list[dict[str, Any]]) -> None:
    """Let Neutron list these, and know none by a path of its own."""
    key = name.replace("-", "_")
    api.on("GET", "network", f"/v2.0/{name}", say=lambda asked: {key: external(named(there, asked.query), asked.query)})
    api.on("GET", "network", f"/v2.0/{name}/.+", say=404)


def named(there: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
    return [service for service in there if query.get("name") in (None, service["name"])]


def external(there: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
    return [service for service in there if "router:external" not in query or service.get("router:external")]


def reasons(needs: Needs = NEEDS, cloud: Cloud | None = None) -> list[str]:
    return [str(check) for check in check_needs(cloud or overcloud(), needs) if not check.ok]


def test_a_cloud_that_has_all_is_not_refused_and_nothing_is_changed(api: FakeApi) -> None:
    assert reasons() == []
    assert {request.method for request in api.asked if request.path != "/v3/auth/tokens"} == {"GET"}


def test_what_is_not_wanted_is_not_looked_for(api: FakeApi) -> None:
    assert reasons(Needs(1, "m1.tiny", "debian", services=())) == []
    asked = {request.service for request in api.asked}
    assert asked.isdisjoint({"load-balancer", "volumev3", "metric", "alarming"})
    assert not any("quotas" in request.path and request.service == "load-balancer" for request in api.asked)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"flavor": "m9"}, "no flavor 'm9'; there is m1.tiny: make it, or name another one"),
        ({"image": "cirros"}, "no image 'cirros'; there is debian"),
        ({"key_name": "root"}, "no key pair 'root'; there is admin"),
        ({"networks": ("private", "nowhere")}, "no network 'nowhere'; there is private, public"),
        ({"subnets": ("nowhere",)}, "no subnet 'nowhere'; there is private-subnet"),
        ({"security_groups": ("all",)}, "no security group 'all'; there is base"),
        ({"external_network": "private"}, "no external network 'private'; there is public"),
        (
            {"members": 4, "flavor": "m1.tiny"},
            "4 more instances are needed and 3 are left of 10; raise the project's quota to 11",
        ),
        ({"ports": 11}, "11 more ports are needed and 10 are left"),
        ({"floating_ips": 11}, "11 more floating addresses"),
        ({"new_security_groups": 11}, "11 more security groups"),
        ({"load_balancers": 5}, "5 more load balancers are needed and 4 are left of 5"),
        ({"volumes": 11}, "11 more volumes"),
        ({"volume_gib": 101}, "101 more GiB of volumes"),
        (
            {"archive_policy": "slow"},
            "no archive policy 'slow'; make it with a granularity of 60 s and mean and rate:mean, or",
        ),
        ({"granularity_s": 10}, "archive policy autoscaling has no granularity of 10 s (it has 60 s)"),
        ({"services": ("dns",)}, "dns is not in the service catalog"),
    ],
)
def test_each_thing_that_is_missing_is_a_reason_with_what_to_do(
    api: FakeApi, change: dict[str, Any], reason: str
) -> None:
    found = reasons(replace(NEEDS, **change))
    assert any(reason in sentence for sentence in found), found
    assert all(sentence.startswith("overcloud: ") and "; " in sentence for sentence in found)


def test_all_reasons_are_told_at_once(api: FakeApi) -> None:
    bad = replace(
        NEEDS, flavor="m9", image="cirros", networks=("nowhere",), ports=11, volumes=11, archive_policy="slow"
    )
    assert len(reasons(bad)) == 6


def test_other_projects_balancers_are_not_counted_for_an_administrator(api: FakeApi) -> None:
    everybodys = [{"id": str(number), "project_id": PROJECT if number == 0 else "theirs"} for number in range(9)]

    def listed(asked: Asked) -> dict[str, Any]:
        wanted = asked.query.get("project_id")
        return {"loadbalancers": [policy for policy in everybodys if wanted in (None, policy["project_id"])]}

    api.on("GET", "load-balancer", "/v2.0/lbaas/loadbalancers", say=listed)
    assert reasons() == []


@pytest.mark.parametrize("service", ["metric", "alarming", "load-balancer", "volumev3", "orchestration"])
def test_a_service_that_is_missing_is_told_once(api: FakeApi, service: str) -> None:
    del api.services[service]
    found = reasons()
    assert len(found) == 1
    assert "is not in the service catalog" in found[0]


@pytest.mark.parametrize("name", ["debian"])
def test_an_image_that_is_not_ready_or_too_large_is_a_reason(api: FakeApi, name: str) -> None:
    api.on("GET", "image", "/v2/images", say={"images": [IMAGE | {"status": "queued"}]})
    assert "is queued; wait until it is active" in reasons()[0]
    api.on("GET", "image", "/v2/images", say={"images": [IMAGE | {"min_ram": 1024}]})
    assert "needs 1024 MiB of RAM, flavor 'm1.tiny' has 512" in reasons()[0]


def test_cores_and_memory_are_the_flavors_times_the_members(api: FakeApi) -> None:
    api.on(
        "GET",
        "compute",
        "/limits",
        say={"limits": {"absolute": LIMITS | {"maxTotalCores": 19, "maxTotalRAMSize": 1544}}},
    )
    found = reasons()
    assert [reason.split(": ")[1].split(" are")[0] for reason in found] == ["6 more cores", "1536 more MiB of RAM"]


def test_no_limit_has_room_for_all(api: FakeApi) -> None:
    limitless = {name: {"limit": -1, "used": 7} for name in QUOTA}
    api.on("GET", "network", f"/v2.0/quotas/{PROJECT}/details", say={"quota": limitless})
    api.on("GET", "load-balancer", f"/v2.0/lbaas/quotas/{PROJECT}", say={"quota": {"load_balancer": None}})
    assert reasons(replace(NEEDS, ports=10_000, load_balancers=99)) == []


def test_a_neutron_that_does_not_tell_the_use_is_counted(api: FakeApi) -> None:
    plain = {name: quota["limit"] for name, quota in QUOTA.items()}
    api.on("GET", "network", f"/v2.0/quotas/{PROJECT}/details", say=404)
    api.on("GET", "network", f"/v2.0/quotas/{PROJECT}", say={"quota": plain})
    api.on("GET", "network", "/v2.0/ports", say={"ports": [{"id": str(number)} for number in range(8)]})
    api.on("GET", "network", "/v2.0/floatingips", say={"floatingips": []})
    api.on("GET", "network", "/v2.0/security-groups", say={"security_groups": [{"id": "g1", "name": "base"}]})
    assert next(reason for reason in reasons() if "ports" in reason).startswith(
        "overcloud: 4 more ports are needed and 2 are left of 10"
    )


def test_an_octavia_of_the_old_spelling_is_read(api: FakeApi) -> None:
    api.on("GET", "load-balancer", f"/v2.0/lbaas/quotas/{PROJECT}", say={"quota": {"loadbalancer": 1}})
    assert "1 more load balancers are needed and 0 are left of 1" in reasons()[0]


def test_a_policy_that_does_not_keep_the_rate_is_a_reason(api: FakeApi) -> None:
    api.on("GET", "metric", "/v1/archive_policy", say=(200, [POLICY | {"aggregation_methods": ["mean"]}]))
    assert "archive policy autoscaling does not keep rate:mean" in reasons()[0]
    assert "(none has)" in reasons(replace(NEEDS, archive_policy="slow"))[0]


@pytest.mark.parametrize(
    ("answer", "said"),
    [((401, {"error": {"message": "no such user"}}), "no such user"), (requests.ConnectionError("refused"), "refused")],
)
def test_a_cloud_that_lets_nobody_in_is_the_only_reason(api: FakeApi, answer: Any, said: str) -> None:
    api.on("POST", "identity", "/v3/auth/tokens", say=answer)
    found = reasons()
    assert len(found) == 1
    assert said in found[0]


def test_one_service_that_fails_does_not_hide_the_reasons_of_the_others(api: FakeApi) -> None:
    api.on("GET", "image", "/v2/images", say=fail(500, "glance has no store"))
    found = reasons(replace(NEEDS, flavor="m9", granularity_s=10))
    assert [word in " ".join(found) for word in ("m9", "glance has no store", "granularity of 10 s")] == [True] * 3


def test_an_unreadable_archive_policy_is_a_reason(api: FakeApi) -> None:
    api.on("GET", "metric", "/v1/archive_policy", say=(200, [{"name": "odd"}]))
    assert "can't be read" in reasons()[0]


def test_a_run_that_is_stopped_gives_no_reasons(api: FakeApi) -> None:
    cloud = overcloud()

    def close(_: object) -> Exception:
        cloud.close()
        return requests.ConnectionError("broken")

    api.on("GET", "compute", "/flavors/.+", say=close)
    with pytest.raises(Stopped):
        reasons(cloud=cloud)


def test_a_long_list_of_what_there_is_is_cut(api: FakeApi) -> None:
    collection(api, "networks", [{"name": f"net-{number:02d}", "id": str(number)} for number in range(30)])
    found = reasons(replace(NEEDS, external_network="", networks=("nowhere",)))
    assert "there is net-00, net-01" in found[0]
    assert "net-09, …: make it" in found[0]


@pytest.mark.parametrize("name", ["max_size", "granularity", "rate_window"])
def test_a_parameter_that_is_counted_with_and_is_no_number_is_named(name: str) -> None:
    (check,) = check_numbers({"max_size": 3, name: "often"})
    assert check.reason == f"parameter {name} is 'often', which is no number"
    assert check_numbers({"max_size": "3", "granularity": 60.0, "rate_window": "150"}) == []
