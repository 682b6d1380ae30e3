"""Ceilometer's agents: which there are, and that one is back only once it has lived for a while."""

from pathlib import Path

import pytest

from blocks.remote.errors import HostError
from tasks.engine.step import apply_change
from tasks.telemetry.agents import Agent, Layout, parse_agents, read_agents, restart
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
        Agent("openstack-ceilometer-compute.service", Layout.UNITS),
        Agent("openstack-ceilometer-central.service", Layout.UNITS),
        Agent("openstack-ceilometer-notification.service", Layout.UNITS, polls=False),
        Agent("openstack-ceilometer-ipmi.service", Layout.UNITS, runs=False),
    ]
    assert PollingFile("compute-0", "/etc/ceilometer/pipeline.yaml", "").read_by_notification_agent


def test_polling_yaml_is_read_by_those_that_poll() -> None:
    assert parse_agents(UNITS_DEBIAN, "") == [
        Agent("ceilometer-agent-central.service", Layout.UNITS),
        Agent("ceilometer-polling.service", Layout.UNITS),
    ]
    assert not PollingFile("compute-0", "/etc/ceilometer/polling.yaml", "").read_by_notification_agent


def test_a_container_is_not_restarted_a_second_time_through_its_unit() -> None:
    assert parse_agents(UNITS_TRIPLEO, CONTAINERS) == [
        Agent("ceilometer_agent_compute", Layout.TRIPLEO),
        Agent("ceilometer_agent_central", Layout.TRIPLEO, runs=False),
        Agent("ceilometer_agent_notification", Layout.TRIPLEO, polls=False),
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
            asked(
                units="snap.openstack-hypervisor.ceilometer-compute-agent.service loaded active running Service for snap\n"
                "● openstack-ceilometer-collector.service loaded failed failed -\n",
                docker="fluentd Up 3 days\nk8s_ceilometer-compute_0 Up 3 days\n",
            ),
            "; seen are snap.openstack-hypervisor.ceilometer-compute-agent.service, openstack-ceilometer-collector.service, "
            "k8s_ceilometer-compute_0)",
            "name the role",
        ),
        (
            asked(podman="ceilometer_central Up 2 days\n"),
            "of kolla-ansible's containers ceilometer_central is here, and CPU is polled by ceilometer_compute alone",
            "group compute",
        ),
        (
            asked(docker="fluentd Up 3 days\nceilometer_notification Up 1 day\nceilometer_central Up 1 day\n"),
            "of kolla-ansible's containers ceilometer_notification, ceilometer_central is here",
            "group compute",
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
    assert read_agents(asked(podman=CONTAINERS))[0] == Agent("ceilometer_agent_compute", Layout.TRIPLEO)


KOLLA = "fluentd Up 3 days\nceilometer_central Up 3 days\nceilometer_compute {} (healthy)\n"


@pytest.mark.parametrize("status", ["Up 3 days", "Exited (1) 2 minutes ago"])
@pytest.mark.parametrize("engine", ["podman", "docker"])
def test_of_kolla_ansible_s_containers_the_one_that_polls_cpu_is_taken(engine: str, status: str) -> None:
    runs = status.startswith("Up")
    shell = asked(**{engine: KOLLA.format(status)})
    assert read_agents(shell) == [Agent("ceilometer_compute", Layout.KOLLA, runs=runs, engine=engine)]


def test_units_that_packages_have_left_behind_do_not_hide_containers_in_docker() -> None:
    left = "ceilometer-agent-compute.service loaded inactive dead Ceilometer Agent Compute\n"
    (agent,) = read_agents(asked(units=left, docker=KOLLA.format("Up 3 days")))
    assert agent.engine == "docker"
    assert read_agents(asked(units=left)) == [Agent("ceilometer-agent-compute.service", Layout.UNITS, runs=False)]


@pytest.mark.parametrize(
    ("in_podman", "in_docker", "engine"),
    [("Exited (0) 1 day ago", "Up 3 days", "docker"), ("Exited (0) 1 day ago", "Exited (0) 1 day ago", "podman")],
)
def test_of_both_engines_the_one_that_runs_it_counts_and_podman_s_docker_is_no_second_one(
    in_podman: str, in_docker: str, engine: str
) -> None:
    (agent,) = read_agents(asked(podman=KOLLA.format(in_podman), docker=KOLLA.format(in_docker)))
    assert agent.engine == engine


def test_docker_is_not_asked_where_an_agent_runs_without_it() -> None:
    shell = asked(podman=CONTAINERS, docker="nobody asks")
    read_agents(shell)
    assert shell.lines("docker ps") == []


# What systemctl, podman and docker say of an agent that has just been started, of one that has lived a while, and of a dead one.
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
_DOCKER = """#!/bin/bash
echo "$(cat state) $(date -u -d "$(cat lived) seconds ago" +%Y-%m-%dT%H:%M:%S.123456789Z)"
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("systemctl", _SYSTEMCTL), ("podman", _PODMAN), ("docker", _DOCKER)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return tmp_path


UNIT = Agent("ceilometer-polling.service", Layout.UNITS)
IN_PODMAN = Agent("ceilometer_agent_compute", Layout.TRIPLEO)
IN_DOCKER = Agent("ceilometer_compute", Layout.KOLLA, engine="docker")


@pytest.mark.parametrize(
    ("agent", "state", "lived", "said"),
    [
        (UNIT, "active", 6, "running for 5 s"),
        (UNIT, "active", 1, "running for less than 5 s"),
        (UNIT, "failed", 6, "failed"),
        (IN_PODMAN, "running", 6, "running for 5 s"),
        (IN_PODMAN, "running", 1, "running for less than 5 s"),
        (IN_PODMAN, "exited", 6, "exited"),
        (IN_DOCKER, "running", 6, "running for 5 s"),
        (IN_DOCKER, "running", 1, "running for less than 5 s"),
        (IN_DOCKER, "restarting", 6, "restarting"),
    ],
)
def test_an_agent_is_back_once_it_has_lived_for_a_while(
    tools: Path, agent: Agent, state: str, lived: int, said: str
) -> None:
    (tools / "state").write_text(f"{state}\n")
    (tools / "lived").write_text(f"{lived}\n")
    until = restart(agent).until
    assert until is not None
    assert until.wanted == "running for 5 s"
    assert until.look(LocalShell(tools)) == said


def test_where_to_look_for_what_an_agent_died_of_is_told() -> None:
    hints = [until.hint for agent in (UNIT, IN_PODMAN, IN_DOCKER) if (until := restart(agent).until) is not None]
    assert [hint.split(";")[0] for hint in hints] == [
        "see `journalctl -u ceilometer-polling.service`",
        "see `podman logs ceilometer_agent_compute`",
        "see `docker logs ceilometer_compute` and /var/log/kolla/ceilometer",
    ]


def test_a_unit_is_restarted() -> None:
    shell = FakeShell("compute-0").on("restart", say="").on("is-active", say="running for 5 s\n")
    assert apply_change(shell, restart(Agent("ceilometer-polling.service", Layout.UNITS)), silent) == "done"
    assert shell.lines("restart") == ["sudo systemctl restart ceilometer-polling.service"]


def test_a_unit_that_has_failed_too_often_is_let_start_again() -> None:
    shell = FakeShell("compute-0").on("systemctl", say="").on("is-active", say="running for 5 s\n")
    shell.on("reset-failed", say=1)
    apply_change(shell, restart(Agent("ceilometer-polling.service", Layout.UNITS, runs=False)), silent)
    assert [command.words[1] for command in shell.ran if command.words[0] == "systemctl"] == ["reset-failed", "restart"]


def test_a_container_is_restarted_through_its_unit() -> None:
    shell = FakeShell("compute-0", otherwise="").on("StartedAt", say="running for 5 s\n")
    apply_change(shell, restart(Agent("ceilometer_agent_compute", Layout.TRIPLEO)), silent)
    assert "ceilometer_agent_compute" in shell.lines("tripleo_")[0]
