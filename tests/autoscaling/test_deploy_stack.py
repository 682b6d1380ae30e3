"""A stack is made, found to be there, updated, refused; its webhooks are nobody's to read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.heat.templates import EXAMPLES, Era
from tests.autoscaling.runbooks import PARAMETERS, Ended, Runbooks
from tests.autoscaling.stacks import Standing
from tests.lab.shell import wait_until

CHANGED = int(PARAMETERS["cooldown"]) - 1
PROMETHEUS = EXAMPLES / Era.PROMETHEUS


def test_it_is_made_and_found_and_changed(runbooks: Runbooks, standing: Standing) -> None:
    assert "scaleup_group CREATE_COMPLETE" in standing.making.output
    again = deploy(runbooks, standing)
    assert again.code == 0, again.output[-3000:]
    assert f"{standing.name}: already" in again.output
    changed = deploy(runbooks, standing, cooldown=CHANGED)
    assert changed.code == 0, changed.output[-3000:]
    assert f"{standing.name}: updated" in changed.output


def test_its_webhooks_are_in_no_log_and_in_no_artifact(runbooks: Runbooks, standing: Standing) -> None:
    artifact = str(runbooks.artifact(f"outputs-{standing.name}"))
    for text in (standing.making.output, artifact):
        assert "scale_up_url" in text
        assert "Signature=" not in text
        assert "arn" not in text


def deploy(runbooks: Runbooks, standing: Standing, **changed: int) -> Ended:
    parameters = {**standing.parameters, **changed}
    return runbooks.run("deploy-stack", stack_name=standing.name, stack_parameters=parameters)


def test_a_dry_run_makes_nothing(runbooks: Runbooks) -> None:
    planned = runbooks.run("deploy-stack", stack_name="never", stack_parameters=PARAMETERS, dry_run=True)
    assert planned.code == 0, planned.output[-3000:]
    assert "openstack stack create never" in planned.output
    assert runbooks.cloud.connect().get_stack("never") is None


def test_everything_that_is_missing_is_told_at_once(runbooks: Runbooks) -> None:
    wrong = {**PARAMETERS, "image": "no-image", "flavor": "no-flavor", "key_name": "no-key", "network": "no-network"}
    refused = runbooks.run("deploy-stack", stack_name="never", stack_parameters=wrong)
    assert refused.code == 1
    for name in ("no-image", "no-flavor", "no-key", "no-network"):
        assert re.search(rf"there is no [a-z ]+ '{name}'", refused.output), name
    assert runbooks.cloud.connect().get_stack("never") is None


def test_the_documents_own_types_are_refused_by_name_with_what_to_use(runbooks: Runbooks, tmp_path: Path) -> None:
    documented = tmp_path / "documented.yaml"
    documented.write_text(
        "heat_template_version: 2014-10-16\n"
        "resources:\n"
        "  cpu_alarm_high:\n"
        "    type: OS::Ceilometer::Alarm\n"
        "    properties: {meter_name: cpu_util, threshold: 50, comparison_operator: gt}\n"
        "  pool:\n"
        "    type: OS::Neutron::Pool\n"
    )
    refused = runbooks.run("deploy-stack", stack_name="never", template=str(documented))
    assert refused.code == 1
    assert "OS::Ceilometer::Alarm" in refused.output
    assert "use OS::Aodh::GnocchiAggregationByResourcesAlarm" in refused.output
    assert "OS::Neutron::Pool" in refused.output
    assert "use OS::Octavia::Pool" in refused.output


def test_the_template_for_prometheus_is_one_for_a_heat_that_has_its_alarms(runbooks: Runbooks) -> None:
    given = {name: value for name, value in PARAMETERS.items() if name != "granularity"}
    planned = runbooks.run(
        "deploy-stack",
        stack_name="never",
        template=str(PROMETHEUS / "cpu-group.yaml"),
        environments=[str(PROMETHEUS / "environment-without-volumes.yaml")],
        stack_parameters=given,
        dry_run=True,
    )
    with runbooks.cloud.connect() as project:
        offered = project.orchestration.get("/resource_types").json()["resource_types"]
    if "OS::Aodh::PrometheusAlarm" in offered:
        assert planned.code == 0, planned.output[-3000:]
        assert "openstack stack create never" in planned.output
    else:
        assert planned.code == 1
        assert "OS::Aodh::PrometheusAlarm is not offered by this cloud" in planned.output


def test_what_others_have_made_is_changed_only_once_it_is_approved(runbooks: Runbooks, theirs: Any, mine: Path) -> None:
    asked = runbooks.begin("deploy-stack", stack_name=theirs.name, template=str(mine))
    wait_until(
        "nobody was asked", lambda: "" if "waiting for approval" in asked.output else f"it said {asked.output}", 60
    )
    assert asked.process.poll() is None
    asked.process.kill()
    asked.process.wait()
    runbooks.crashed("deploy-stack")
    heat = runbooks.cloud.connect().orchestration
    assert list(heat.get_stack_template(theirs.id).resources) == ["their_own"]
    done = runbooks.run("deploy-stack", stack_name=theirs.name, template=str(mine), approved_by="Jane Doe")
    assert done.code == 0, done.output[-3000:]
    assert "deleted their_own (OS::Heat::RandomString)" in asked.output
    assert list(heat.get_stack_template(theirs.id).resources) == ["mine"]
    assert heat.get_stack(theirs.id).tags == ["theirs"]


@pytest.fixture
def theirs(runbooks: Runbooks) -> Iterator[Any]:
    """A stack that no runbook has made."""
    with runbooks.cloud.connect() as project:
        heat = project.orchestration
        stack = heat.create_stack(name="theirs", template=one_string("their_own"), tags="theirs")
        heat.wait_for_status(stack, "CREATE_COMPLETE", failures=["CREATE_FAILED"], interval=0.5, wait=60)
        yield stack
        heat.delete_stack(stack)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A template of one's own."""
    file = tmp_path / "mine.yaml"
    file.write_text(one_string("mine"))
    return file


def one_string(name: str) -> str:
    return f"heat_template_version: 2018-08-31\nresources: {{{name}: {{type: OS::Heat::RandomString}}}}\n"
