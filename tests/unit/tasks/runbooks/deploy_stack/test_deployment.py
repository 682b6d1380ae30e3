"""What is deployed is prepared from what the cloud offers, and refused with everything that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.logging import disable_run_logger

from blocks.remote.errors import Refused
from tasks.engine.run import Run
from tasks.heat.templates import Era, Example, StackFiles, choose_example, read_template, required_types
from tasks.openstack.resource_types import MISSING, ResourceType
from tasks.runbooks.deploy_stack.deployment import (
    StackRequest,
    plan_deployment,
    read_types,
    threshold_percents,
    thresholds,
)
from tests.unit.cloud_api import Answer, Asked, FakeApi, fail, install, overcloud
from tests.unit.fakes import FakeClock
from tests.unit.tasks.heat.test_templates import NEWER, TODAY
from tests.unit.tasks.heat_api import FakeHeat, merge
from tests.unit.tasks.samples import SITE, journal

TEMPLATE = """
heat_template_version: 2018-03-02
description: One server.
parameters:
  flavor: {type: string, default: m1.nano}
resources:
  server: {type: OS::Nova::Server, properties: {flavor: {get_param: flavor}}}
  pool: {type: OS::Neutron::Pool}
"""
HISTORY = {
    "status": "HIDDEN",
    "message": None,
    "previous_status": {"status": "DEPRECATED", "message": "Use OS::Octavia::Pool.", "previous_status": None},
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: FakeClock) -> FakeApi:
    api = install(monkeypatch, tmp_path)
    api.on("GET", "orchestration", "/resource_types/.+", say=404)
    server = {"support_status": {"status": "SUPPORTED"}, "properties": {"flavor": {}}}
    api.on("GET", "orchestration", "/resource_types/OS::Nova::Server", say=server)
    return api


def template(tmp_path: Path, text: str = TEMPLATE) -> Path:
    file = tmp_path / "template.yaml"
    file.write_text(text)
    return file


def files(tmp_path: Path) -> StackFiles:
    return read_template(template(tmp_path))


def test_a_type_is_known_with_what_took_its_place(api: FakeApi, tmp_path: Path) -> None:
    api.on("GET", "orchestration", "/resource_types/OS::Neutron::Pool", say={"support_status": HISTORY})
    known = read_types(overcloud(), files(tmp_path))
    assert known["OS::Neutron::Pool"] == ResourceType("HIDDEN", "Use OS::Octavia::Pool.", has_no_properties=True)
    assert known["OS::Nova::Server"] == ResourceType("SUPPORTED")


def test_a_type_that_heat_does_not_know_or_can_not_make_here_is_missing(api: FakeApi, tmp_path: Path) -> None:
    assert read_types(overcloud(), files(tmp_path))["OS::Neutron::Pool"] == MISSING
    said = "The Resource Type (OS::Neutron::Pool) is not available."
    api.on("GET", "orchestration", "/resource_types/OS::Neutron::Pool", say=fail(400, said))
    known = read_types(overcloud(), files(tmp_path))["OS::Neutron::Pool"]
    assert (known.status, said in known.message) == ("MISSING", True)


def test_the_documents_percentages_count_where_none_are_given() -> None:
    assert threshold_percents(StackRequest("cpu-group", [], {}, "x")) == (50, 10)
    assert threshold_percents(StackRequest("web-farm", [], {}, "x")) == (95, 15)
    assert threshold_percents(StackRequest("web-farm", [], {}, "x", high=60)) == (60, 15)


def refuse(request: StackRequest) -> list[str]:
    run = Run("deploy-stack", SITE, {}, False, journal(runbook="deploy-stack"))
    with pytest.raises(Refused) as refused:
        plan_deployment(run, overcloud(), request)
    return list(refused.value.reasons)


def test_a_type_that_is_missing_is_refused_with_what_to_use(api: FakeApi, tmp_path: Path) -> None:
    (reason,) = refuse(StackRequest(str(template(tmp_path)), [], {}, "x"))
    assert reason.startswith("resource pool: OS::Neutron::Pool is not offered by this cloud")
    assert "use OS::Octavia::Pool" in reason


def test_a_parameter_without_a_value_is_refused(api: FakeApi, tmp_path: Path) -> None:
    text = TEMPLATE.replace("  pool: {type: OS::Neutron::Pool}\n", "")
    api.on("POST", "orchestration", "/validate", say={"Parameters": {"flavor": {}, "image": {"Type": "String"}}})
    (reason, *_) = refuse(StackRequest(str(template(tmp_path, text)), [], {}, "x"))
    assert reason == "parameter flavor of the template has neither a value nor a default"


@pytest.mark.parametrize("section", ["parameters", "parameter_defaults"])
def test_what_an_environment_file_says_is_looked_at_too(api: FakeApi, tmp_path: Path, section: str) -> None:
    (tmp_path / "mine.yaml").write_text(f"{section}: {{max_size: three, granularity: often}}\n")
    api.on("POST", "orchestration", "/validate", say=merge)
    types = required_types(choose_example(Example.CPU_GROUP, TODAY).read())
    api.on("GET", "orchestration", "/resource_types", say={"resource_types": sorted(types)})
    api.on("GET", "orchestration", "/resource_types/.+", say={"properties": {"any": {}}})
    assert refuse(StackRequest("cpu-group", [str(tmp_path / "mine.yaml")], {}, "x")) == [
        "parameter max_size is 'three', which is no number",
        "parameter granularity is 'often', which is no number",
    ]


def test_in_an_operators_own_template_they_may_be_words(api: FakeApi, tmp_path: Path) -> None:
    text = TEMPLATE.replace("  pool: {type: OS::Neutron::Pool}\n", "")
    api.on("POST", "orchestration", "/validate", say={"Parameters": {"image": {"Type": "String"}}})
    given = {"max_size": "three", "granularity": "often"}
    (reason,) = refuse(StackRequest(str(template(tmp_path, text)), [], given, "x"))
    assert "parameter image" in reason


def test_a_threshold_is_computed_only_where_nobody_has_said_one(api: FakeApi) -> None:
    values = {"flavor": "m1.nano", "granularity": 60}
    request = StackRequest("cpu-group", [], {}, "x")
    computed = thresholds(overcloud(), request, Era.OSP_8, values, {"threshold_high": 42})
    assert computed == {"threshold_low": 10}


@pytest.mark.parametrize(("vcpus", "high"), [(1, 50), (4, 200)])
def test_prometheus_s_thresholds_are_percent_of_one_vcpu(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, vcpus: int, high: int
) -> None:
    flavor = {"id": "1", "name": "m1.nano", "vcpus": vcpus, "ram": 64, "disk": 1}
    api.on("GET", "compute", "/flavors/.+", say={"flavor": flavor})
    computed = thresholds(
        overcloud(), StackRequest("cpu-group", [], {}, "x"), Era.PROMETHEUS, {"flavor": "m1.nano"}, {"threshold_low": 5}
    )
    assert computed == {"threshold_high": high}


@pytest.mark.parametrize(
    ("gnocchi", "offered", "prometheus", "missed"),
    [(True, NEWER, False, False), (False, NEWER, True, False), (False, TODAY, False, True)],
)
def test_where_gnocchi_is_not_there_prometheus_is_asked_and_what_is_not_seen_is_told(
    api: FakeApi, gnocchi: bool, offered: frozenset[str], prometheus: bool, missed: bool
) -> None:
    if not gnocchi:
        api.services = {name: url for name, url in api.services.items() if name != "metric"}
    api.on("GET", "orchestration", "/resource_types", say={"resource_types": sorted(offered)})
    api.on("GET", "orchestration", "/resource_types/.+", say={"properties": {"any": {}}})
    api.on("GET", "orchestration", "/stacks", say={"stacks": []})
    api.on("POST", "orchestration", "/validate", say=merge)
    for service in ("compute", "image", "network", "volumev3"):
        api.on("GET", service, "/.+", say=404)
    run = Run("deploy-stack", SITE, {}, False, journal(runbook="deploy-stack"))
    with pytest.raises(Refused) as refused, disable_run_logger():
        plan_deployment(run, overcloud(), StackRequest("cpu-group", [], {}, "x"))
    told = [finding for finding in run.journal.findings if "the alarms ask Prometheus for ceilometer_cpu" in finding]
    assert len(told) == (1 if prometheus else 0)
    assert any("Gnocchi is not in the service catalog" in reason for reason in refused.value.reasons) == missed


def test_what_heat_merges_is_what_counts_and_what_is_sent(api: FakeApi, tmp_path: Path) -> None:
    heat = FakeHeat(api)
    text = TEMPLATE.replace("  pool: {type: OS::Neutron::Pool}\n", "").replace(
        "parameters:", "parameters:\n  zones: {type: comma_delimited_list}"
    )
    (tmp_path / "1.yaml").write_text(
        "parameter_merge_strategies: {zones: merge}\nparameter_defaults: {zones: [az1, az2]}\n"
    )
    (tmp_path / "2.yaml").write_text(
        "parameter_defaults: {zones: [az3]}\nresource_registry: {resources: {server: {hooks: pre-create}}}\n"
    )
    environments = [str(tmp_path / f"{number}.yaml") for number in (1, 2)]
    run = Run("deploy-stack", SITE, {}, False, journal(runbook="deploy-stack"))
    request = StackRequest(str(template(tmp_path, text)), environments, {}, "example")
    with disable_run_logger():
        job = plan_deployment(run, overcloud(), request)
    assert job.parameters["zones"] == ["az1", "az2", "az3"]
    assert job.plan.action == "create"
    preview = heat.api.requests("POST", "/stacks/preview")[-1].body
    assert [address.rpartition("/")[2] for address in preview["environment_files"]] == ["1.yaml", "2.yaml"]
    assert any("Heat will wait at server (pre-create)" in finding for finding in run.journal.findings)


def restricted(api: FakeApi, yes: bool) -> None:
    """Keystone's tokens are those of an application credential."""

    def login(asked: Asked) -> Answer:
        status, body = api._login(asked)
        body["token"]["application_credential"] = {"id": "1", "name": "runbooks", "restricted": yes}
        return status, body

    api.on("POST", "identity", "/v3/auth/tokens", say=login)


@pytest.mark.parametrize("yes", [True, False])
def test_a_restricted_application_credential_is_refused_before_a_stack_is_made(
    api: FakeApi, tmp_path: Path, yes: bool
) -> None:
    heat = FakeHeat(api)
    restricted(api, yes)
    request = StackRequest(
        str(template(tmp_path, TEMPLATE.replace("  pool: {type: OS::Neutron::Pool}\n", ""))), [], {}, "example"
    )
    if yes:
        (reason,) = refuse(request)
        assert "--unrestricted" in reason
        heat.status = "CREATE_FAILED"  # it has its trust already
    run = Run("deploy-stack", SITE, {}, False, journal(runbook="deploy-stack"))
    assert plan_deployment(run, overcloud(), request).plan.action == ("update" if yes else "create")
