"""Ceilometer's agents: which there are, and that one is back only once it has lived for a while."""

from pathlib import Path

import pytest

from blocks.remote.errors import HostError
from tasks.engine.step import apply_change
from tasks.telemetry.agents import Agent, parse_agents, read_agents, restart
from tasks.telemetry.polling import PollingFile
from tests.unit.fakes import FakeShell, LocalShell, silent

# `systemctl list-units` of OSP 8's compute and controller, of Debian, and of TripleO with containers.
UNITS_8 = """openstack-ceilometer-compute.service loaded active running OpenStack ceilometer compute agent
openstack-ceilometer-central.service loaded active running OpenStack ceilometer central agent
openstack-ceilometer-notification.service loaded active running OpenStack ceilometer notification agent
openstack-ceilometer-collector.service loaded active running OpenStack ceilometer collection service
openstack-ceilometer-api.service loaded active running OpenStack ceilometer API service
openstack-ceilometer-ipmi.service loaded failed failed OpenStack ceilometer ipmi agent
"""
UNITS_DEBIAN = """ceilometer-agent-central.service loaded active running Ceilometer Agent Central
● ceilometer-agent-compute.service not-found inactive dead ceilometer-agent-compute.service
ceilometer-polling.service loaded active running Ceilometer Polling
"""
UNITS_TRIPLEO = "tripleo_ceilometer_agent_compute.service loaded active running ceilometer_agent_compute container\n"
CONTAINERS = """ceilometer_agent_compute Up 3 days ago
ceilometer_agent_central Exited (1) 2 hours ago
ceilometer_agent_notification Up 3 days (healthy)
nova_compute Up 3 days ago
"""


def test_on_osp_8_every_agent_reads_pipeline_yaml() -> None:
    assert parse_agents(UNITS_8, "") == [
        Agent("openstack-ceilometer-compute.service", False),
        Agent("openstack-ceilometer-central.service", False),
        Agent("openstack-ceilometer-notification.service", False, polls=False),
        Agent("openstack-ceilometer-ipmi.service", False, runs=False),
    ]
    assert PollingFile("compute-0", "/etc/ceilometer/pipeline.yaml", "").read_by_notification_agent


def test_polling_yaml_is_read_by_those_that_poll() -> None:
    assert parse_agents(UNITS_DEBIAN, "") == [
        Agent("ceilometer-agent-central.service", False),
        Agent("ceilometer-polling.service", False),
    ]
    assert not PollingFile("compute-0", "/etc/ceilometer/polling.yaml", "").read_by_notification_agent


def test_a_container_is_not_restarted_a_second_time_through_its_unit() -> None:
    assert parse_agents(UNITS_TRIPLEO, CONTAINERS) == [
        Agent("ceilometer_agent_compute", True),
        Agent("ceilometer_agent_central", True, runs=False),
        Agent("ceilometer_agent_notification", True, polls=False),
    ]


def asked(units: str = "", podman: str = "", docker: str = "", edpm: str = "") -> FakeShell:
    shell = FakeShell("compute-0").on("list-units", say=units).on("podman ps", say=podman).on("docker ps", say=docker)
    return shell.on("/var/lib/openstack/", say=edpm)


@pytest.mark.parametrize(
    ("shell", "said", "hint"),
    [
        (asked(), "none of Ceilometer's agents that poll is there (known are", "name the role"),
        (asked(podman="nova_compute Up 3 days\n"), "none of Ceilometer's agents", "name the role"),
        (
            asked(podman="ceilometer_central Up 2 days\n"),
            "kolla-ansible's containers in podman (ceilometer_central)",
            "kolla-ansible",
        ),
        (
            asked(docker="fluentd Up 3 days\nceilometer_notification Up 1 day\nceilometer_compute Up 1 day\n"),
            "kolla-ansible's containers in docker (ceilometer_notification, ceilometer_compute)",
            "--tags ceilometer",
        ),
        (
            asked(docker="ceilometer_agent_central Up 3 days\n"),
            "containers in docker (ceilometer_agent_central)",
            "docker",
        ),
        (
            asked(units="devstack@ceilometer-acentral.service loaded active running -\n"),
            "devstack's units (devstack@ceilometer-acentral.service)",
            "systemctl",
        ),
        (
            asked(podman="ceilometer_agent_compute Up 3 days\n", edpm="/var/lib/openstack/telemetry/polling.yaml\n"),
            "OSP 18's data plane (EDPM), and polls by /var/lib/openstack/telemetry/polling.yaml",
            "deploy the node set again",
        ),
    ],
)
def test_agents_that_run_in_another_way_are_told_as_that(shell: FakeShell, said: str, hint: str) -> None:
    with pytest.raises(HostError) as refused:
        read_agents(shell)
    assert said in refused.value.message
    assert hint in refused.value.hint


def test_tripleo_s_containers_are_none_of_osp_18_s() -> None:
    assert read_agents(asked(podman=CONTAINERS))[0] == Agent("ceilometer_agent_compute", True)


# What systemctl and podman say of an agent that has just been started, of one that has lived for a while, and of a dead one.
_SYSTEMCTL = """#!/bin/bash
case $1 in
  restart) echo "$*" >>calls;;
  is-active) read -r state <state; echo "$state"; [ "$state" = active ];;
  show) read -r up _ </proc/uptime; echo "ActiveEnterTimestampMonotonic=$(( (${up%.*} - $(cat lived)) * 1000000 ))";;
esac
"""
_PODMAN = """#!/bin/bash
echo "$(cat state) $(( $(date +%s) - $(cat lived) ))"
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("systemctl", _SYSTEMCTL), ("podman", _PODMAN)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("contained", "state", "lived", "said"),
    [
        (False, "active", 6, "running for 5 s"),
        (False, "active", 1, "running for less than 5 s"),
        (False, "failed", 6, "failed"),
        (True, "running", 6, "running for 5 s"),
        (True, "running", 1, "running for less than 5 s"),
        (True, "exited", 6, "exited"),
    ],
)
def test_an_agent_is_back_once_it_has_lived_for_a_while(
    tools: Path, contained: bool, state: str, lived: int, said: str
) -> None:
    (tools / "state").write_text(f"{state}\n")
    (tools / "lived").write_text(f"{lived}\n")
    until = restart(Agent("ceilometer-polling.service", contained)).until
    assert until is not None
    assert until.wanted == "running for 5 s"
    assert until.look(LocalShell(tools)) == said


def test_a_unit_is_restarted() -> None:
    shell = FakeShell("compute-0").on("restart", say="").on("is-active", say="running for 5 s\n")
    assert apply_change(shell, restart(Agent("ceilometer-polling.service", False)), silent) == "done"
    assert shell.lines("restart") == ["sudo systemctl restart ceilometer-polling.service"]


def test_a_unit_that_has_failed_too_often_is_let_start_again() -> None:
    shell = FakeShell("compute-0").on("systemctl", say="").on("is-active", say="running for 5 s\n")
    shell.on("reset-failed", say=1)
    apply_change(shell, restart(Agent("ceilometer-polling.service", False, runs=False)), silent)
    assert [command.words[1] for command in shell.ran if command.words[0] == "systemctl"] == ["reset-failed", "restart"]


def test_a_container_is_restarted_through_its_unit() -> None:
    shell = FakeShell("compute-0", otherwise="").on("StartedAt", say="running for 5 s\n")
    apply_change(shell, restart(Agent("ceilometer_agent_compute", True)), silent)
    assert "ceilometer_agent_compute" in shell.lines("tripleo_")[0]
